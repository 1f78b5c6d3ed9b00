#pragma once

#include "client/cli/environment.hpp"
#include "client/cli/progress_view.hpp"

#include <cstddef>
#include <optional>

namespace wharf::cli {

/// What standard error is attached to.
struct Terminal {
    bool interactive = false; ///< a terminal that understands cursor movements
    bool color = false;       ///< and wants colours (NO_COLOR is not set)
    bool utf8 = false;        ///< the locale says so
};

/// Looks at the descriptor and at TERM, NO_COLOR, LC_ALL, LC_CTYPE and LANG.
Terminal probe_terminal(int fd, const Environment& environment);

/// How wide the terminal is now; nothing when the descriptor is none.
std::optional<std::size_t> terminal_columns(int fd);

/// The terminal's size now, with its abilities; 80 by 24 when it does not tell.
ViewStyle view_style(int fd, const Terminal& terminal);

} // namespace wharf::cli
