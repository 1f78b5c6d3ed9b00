#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace wharf {

/// What comes next in an open file, at most `limit` bytes; fewer where it ends. None when it cannot
/// be read: errno says why.
std::optional<std::string> read_up_to(int fd, std::size_t limit);

} // namespace wharf
