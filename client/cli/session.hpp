#pragma once

#include "client/cli/environment.hpp"
#include "client/cli/options.hpp"
#include "client/cli/progress_display.hpp"
#include "client/cli/terminal.hpp"

#include <boost/json/object.hpp>

#include <string>
#include <string_view>

namespace wharf::cli {

/// What every command has at hand: how to print, whom to ask, and what surrounds the process.
struct Session {
    Environment environment;
    Terminal screen; ///< standard error
    std::string socket;
    OutputFormat format = OutputFormat::human;

    bool is(OutputFormat wanted) const noexcept { return format == wanted; }

    /// How progress is shown: not at all beside --json and --quiet and when
    /// HF_HUB_DISABLE_PROGRESS_BARS is true, bars on a terminal, lines elsewhere.
    ProgressDisplay::Mode progress_mode() const;
};

Session make_session(const Options& options);

/// Prints one object and a line end on standard output.
void print_json(const boost::json::object& object);

} // namespace wharf::cli
