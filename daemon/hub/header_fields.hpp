#pragma once

#include "base/error.hpp"
#include "daemon/net/headers.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::hub {

/// The blob's name that an ETag or X-Linked-Etag field holds: without "W/" and quotes, as the
/// official client strips them. Empty when what remains is not 40 or 64 hex digits; such etags are
/// some other server's business.
std::string blob_name_of_etag(std::string_view value);

/// The bytes a 206 answer holds: first to last of total, last included; total is none for "*".
struct ContentRange {
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    std::optional<std::uint64_t> total;
};

/// Errors: protocol for anything but "bytes first-last/total" with first <= last < total.
Result<ContentRange> parse_content_range(std::string_view value);

/// Digits only, all of the text; none if it is anything else or too large.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept;

/// The target of the link with rel="next" (RFC 8288), as written there; none when there is no such
/// link. Errors: protocol for fields that cannot be read or name two of them: guessing would cut a
/// listing short.
Result<std::optional<std::string>> next_link(const net::Headers& headers);

} // namespace wharf::hub
