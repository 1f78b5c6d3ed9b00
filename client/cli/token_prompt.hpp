#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>

namespace wharf::cli {

/// One line from a descriptor. On a terminal `prompt` is written to standard error first, and what
/// is typed is not shown; from a pipe or file the first line is read. Empty at the end of the
/// input. Throws Failure when it is interrupted, Error when it cannot be read or is too long for a
/// token.
std::string read_secret_line(int fd, std::string_view prompt);

} // namespace wharf::cli
