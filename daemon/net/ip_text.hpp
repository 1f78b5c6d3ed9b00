#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::net {

/// An IP address in network byte order: 4 or 16 bytes.
struct IpBytes {
    std::array<std::uint8_t, 16> bytes{};
    unsigned size = 0;

    /// Whether the first `bits` bits are those of `network`. False across families.
    bool is_within(const IpBytes& network, unsigned bits) const noexcept;
};

/// Reads dotted IPv4 or plain IPv6 text; none for everything else, brackets and zones included.
std::optional<IpBytes> parse_ip(std::string_view text) noexcept;

/// The one canonical text of an address.
std::string to_string(const IpBytes& address);

} // namespace wharf::net
