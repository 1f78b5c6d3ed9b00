#pragma once

#include "daemon/config_keys.hpp"

#include <string_view>

namespace wharf::config {

/// `defaults` changed by what a configuration file says. `file` is its name for messages. Errors:
/// invalid_request "FILE:LINE: ..." for the first thing in it that cannot be used.
Result<Config> read_text(std::string_view text, std::string_view file, Config defaults,
                         const Home& home);

/// The same for a file on disk. Throws; invalid_request also when it cannot be read.
Config read_file(const std::filesystem::path& file, Config defaults, const Home& home);

} // namespace wharf::config
