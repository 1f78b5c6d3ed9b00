#pragma once

#include "protocol/frame.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace wharf::service {

/// What clients of the socket may take.
struct ServerOptions {
    /// Connections at once; those above it are closed as soon as they are accepted.
    std::size_t max_connections = 4096;
    /// Of them, those of one uid, so that nobody can shut the others out. 0: a quarter, but at
    /// least 64, which is enough for a machine with a single user.
    std::size_t max_connections_per_user = 0;
    /// Calls of one uid that are being answered and may take long. Quick ones are taken always, so
    /// that what waits can be looked at and cancelled.
    std::size_t max_calls_per_user = 512;
    /// Connections of accounts that may not connect, until they have been told so.
    std::size_t max_strangers = 64;
    /// Bytes of one call.
    std::size_t message_limit = protocol::message_limit;
    /// Bytes of all calls that are being received or answered, and of answers that clients do not
    /// read. When they are more, clients with long ones are dropped; calls that fit into one read
    /// are always taken.
    std::size_t buffer_budget = std::size_t{64} << 20;
    /// Of them, those of one uid: above it, its clients are dropped, with short calls too.
    std::size_t buffer_budget_per_user = std::size_t{16} << 20;
    /// Descriptors that came with calls of one uid and were not used up yet.
    std::size_t max_descriptors_per_user = 1024;
    /// From the first byte of a call until its last, and from the connection of a client that may
    /// not connect until its first call.
    std::chrono::milliseconds message_timeout{10'000};
    /// How long a client may not read while there is something to send to it.
    std::chrono::milliseconds write_timeout{30'000};
    /// Bytes a second that a client reads at least, over a whole answer: with write_timeout, the
    /// longest answer is kept for a minute and a half.
    std::size_t slowest_reading = std::size_t{64} << 10;

    /// How long an answer of so many bytes may take to be read.
    std::chrono::milliseconds time_to_read(std::size_t bytes) const noexcept {
        return write_timeout + std::chrono::milliseconds{bytes * 1'000 / slowest_reading};
    }

    std::size_t connections_per_user() const noexcept {
        constexpr std::size_t enough = 64;
        return max_connections_per_user != 0 ? max_connections_per_user
                                             : std::max(max_connections / 4, enough);
    }
};

} // namespace wharf::service
