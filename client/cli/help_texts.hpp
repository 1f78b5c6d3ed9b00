#pragma once

#include <string_view>

namespace wharf::cli {

/// The text of `--help` for a command as it is typed behind "wharf": "" (the whole), "download",
/// "jobs ls". Written by hand, 80 columns wide; a test compares it with what the parser knows.
/// Requires: there is such a command.
std::string_view help_text(std::string_view command);

} // namespace wharf::cli
