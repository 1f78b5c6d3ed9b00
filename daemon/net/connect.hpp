#pragma once

#include "daemon/async/awaitable.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace wharf::net {

using Addresses = std::vector<asio::ip::address>;

/// The order in which to try addresses: the resolver's, but families take turns and there are at
/// most 16, so that a broken IPv6 (or IPv4) costs one attempt and not all of them.
Addresses alternate_families(const Addresses& addresses);

struct ConnectLimits {
    std::chrono::milliseconds per_address; ///< how long one attempt may take
    /// When the next address joins the race (RFC 8305, section 8: 250 ms).
    std::chrono::milliseconds head_start{250};
};

/// Connects to the first address that answers: they start one after the other, `head_start` apart
/// or when the one before has failed, and the first connection wins. Throws the network Error
/// "connecting to <peer>: connection refused" or "... timed out after 10 s" when none does.
/// Requires: `addresses` is not empty.
Awaitable<asio::ip::tcp::socket> connect_any(Addresses addresses, std::uint16_t port,
                                             ConnectLimits limits, std::string peer);

} // namespace wharf::net
