#include "daemon/net/ip_text.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <netinet/in.h>

namespace wharf::net {

bool IpBytes::is_within(const IpBytes& network, unsigned bits) const noexcept {
    if (size != network.size || bits > size * 8) {
        return false;
    }
    const unsigned whole = bits / 8;
    if (!std::equal(bytes.begin(), bytes.begin() + whole, network.bytes.begin())) {
        return false;
    }
    const unsigned rest = bits % 8;
    return rest == 0 || ((bytes[whole] ^ network.bytes[whole]) >> (8 - rest)) == 0;
}

std::optional<IpBytes> parse_ip(std::string_view text) noexcept {
    std::array<char, INET6_ADDRSTRLEN> terminated{};
    if (text.empty() || text.size() >= terminated.size() ||
        text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), terminated.begin());
    IpBytes address;
    if (::inet_pton(AF_INET, terminated.data(), address.bytes.data()) == 1) {
        address.size = 4;
        return address;
    }
    if (::inet_pton(AF_INET6, terminated.data(), address.bytes.data()) == 1) {
        address.size = 16;
        return address;
    }
    return std::nullopt;
}

std::string to_string(const IpBytes& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(address.size == 4 ? AF_INET : AF_INET6, address.bytes.data(), text.data(),
                text.size());
    return text.data();
}

} // namespace wharf::net
