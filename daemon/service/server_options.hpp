#pragma once

#include "protocol/frame.hpp"

#include <chrono>
#include <cstddef>

namespace wharf::service {

/// What clients of the socket may take.
struct ServerOptions {
    /// Connections at once; those above it are closed as soon as they are accepted.
    std::size_t max_connections = 4096;
    /// Of them, those of one uid, so that nobody can shut the others out. 0: as many as there are.
    std::size_t max_connections_per_user = 0;
    /// Bytes of one call.
    std::size_t message_limit = protocol::message_limit;
    /// Bytes of all calls that are being received or answered. When they are more, clients with
    /// long calls are dropped; calls that fit into one read are always taken.
    std::size_t input_budget = std::size_t{64} << 20;
    /// From the first byte of a call until its last, and from the connection of a client that may
    /// not connect until its first call.
    std::chrono::milliseconds message_timeout{10'000};
    /// How long a client may not read while there is something to send to it.
    std::chrono::milliseconds write_timeout{30'000};
};

} // namespace wharf::service
