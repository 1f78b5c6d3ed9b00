#pragma once

#include "base/error.hpp"
#include "daemon/async/awaitable.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wharf::net {

/// Until when one step may take, and how to name the step when it takes longer.
struct Deadline {
    std::chrono::steady_clock::time_point at;
    std::chrono::milliseconds limit; ///< how long the step had, for the message
    std::string_view step;           ///< a literal that goes before the peer: "reading from"
    std::uint64_t moved = 0;         ///< bytes that did move in that time, for the message

    /// A deadline `limit` from now.
    static Deadline after(std::chrono::milliseconds limit, std::string_view step);

    bool has_passed() const { return std::chrono::steady_clock::now() >= at; }

    /// The network Error "<step> <peer> timed out after 10 s", or "<step> <peer>: only 30 bytes in
    /// 10 s".
    Error error(std::string_view peer) const;
};

/// The network Error of a connection that the peer closed or reset: unlike with a timeout, the same
/// request may succeed at once on a fresh connection.
class ConnectionLost : public Error {
  public:
    explicit ConnectionLost(std::string message) : Error{ErrorKind::network, std::move(message)} {}
};

/// An open connection that carries bytes both ways. One thread; one read and one write at a time.
/// After a failed write only reading is left; after a failed read nothing but destruction.
class Stream {
  public:
    virtual ~Stream() = default;

    /// Reads at least one byte; 0 when the peer has properly ended its side. Throws ConnectionLost,
    /// or a network Error at the deadline. Requires: `buffer` is not empty.
    virtual Awaitable<std::size_t> read_some(std::span<std::byte> buffer, Deadline deadline) = 0;

    /// Writes at least one byte and returns how many. Throws as read_some does. Requires: `data` is
    /// not empty.
    virtual Awaitable<std::size_t> write_some(std::string_view data, Deadline deadline) = 0;

    /// Whether the peer has neither closed nor sent anything since the last read: only then may the
    /// connection carry another request. Does not wait.
    virtual bool is_quiet() noexcept = 0;

    /// How many of the bytes written the peer's machine has not acknowledged: they wait in our
    /// kernel or are on their way.
    virtual std::size_t unacknowledged() const noexcept = 0;

    /// Waits until the peer sends something or closes, so long at most. May return without either.
    virtual Awaitable<> wait_for_peer(std::chrono::milliseconds longest) = 0;

    /// The other side for messages: "cdn.example:443".
    virtual const std::string& peer() const noexcept = 0;
};

} // namespace wharf::net
