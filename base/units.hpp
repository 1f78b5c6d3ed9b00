#pragma once

#include "base/error.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace wharf {

/// Parses a size: digits with an optional unit B, KB, MB, GB, TB (powers of 1000) or KiB, MiB, GiB,
/// TiB (powers of 1024), as in "64MiB". Errors: invalid_request.
Result<std::uint64_t> parse_size(std::string_view text);

/// Parses a duration: digits with a unit ms, s, m, h or d, as in "10m". Errors: invalid_request.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// A size for people, in powers of 1000 as the Hub shows them: "999 B", "1.5 MB", "140.2 GB".
std::string format_size(std::uint64_t bytes);

/// A duration for people: "8s", "3m 05s", "2h 10m".
std::string format_duration(std::chrono::seconds duration);

} // namespace wharf
