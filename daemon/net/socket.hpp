#pragma once

#include "daemon/net/stream.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <set>
#include <sys/types.h>

namespace wharf::net {

/// The open sockets of one client. Belongs to the client's thread, but for the counts.
class OpenSockets {
  public:
    /// Bytes that have come on all sockets there ever were, and that the kernel has taken from us.
    /// Any thread.
    std::uint64_t received() const noexcept { return received_.load(std::memory_order_relaxed); }
    std::uint64_t sent() const noexcept { return sent_.load(std::memory_order_relaxed); }

    /// Has the kernel ask each peer now whether it is there: reading from one that does not answer
    /// fails soon after `within`, what is on its way to it unheard fails as well. Peers that are
    /// there notice nothing.
    void probe(std::chrono::seconds within) noexcept;

  private:
    friend class Socket;
    std::atomic<std::uint64_t> received_{0};
    std::atomic<std::uint64_t> sent_{0};
    std::set<int> descriptors_;
};

/// A connected, non-blocking TCP socket: plain reads and writes that never wait, and waits that
/// have a deadline. A deadline costs one comparison as long as things move: the one timer is set
/// again only when it fires too early.
class Socket {
  public:
    Socket(asio::ip::tcp::socket socket, std::string peer, std::shared_ptr<OpenSockets> group);
    Socket(Socket&&) noexcept = default;
    ~Socket();

    /// As recv(2), never waits: -1 with errno, EAGAIN when there is nothing yet.
    ssize_t receive(std::span<std::byte> buffer) noexcept;

    /// As send(2), never waits and never raises SIGPIPE.
    ssize_t send(std::string_view data) noexcept;

    /// Waits until receive() has something to say. Throws the deadline's Error.
    Awaitable<> wait_readable(Deadline deadline);
    Awaitable<> wait_writable(Deadline deadline);

    /// Waits until receive() has something to say, so long at most.
    Awaitable<> wait_for_peer(std::chrono::milliseconds longest);

    /// As in Stream.
    std::size_t unacknowledged() const noexcept;

    /// A peer that is faster than we are never makes us wait, so who reads or writes must give way
    /// to the thread's other work by itself: true once that is due, until yield().
    bool owes_turn() const noexcept { return since_turn_ >= turn_bytes; }
    Awaitable<> yield();

    /// Whether a reader would have to wait: nothing has come and the peer has not closed.
    bool is_quiet() const noexcept;

    const std::string& peer() const noexcept { return peer_; }
    void rename(std::string peer) { peer_ = std::move(peer); }

    /// "reading from cdn.example:443: connection reset by peer".
    ConnectionLost lost(std::string_view step, int error_number) const;

  private:
    struct State;
    static constexpr std::size_t turn_bytes = 1 << 20;

    std::shared_ptr<State> state_; // shared with the timer's handler, which may come after our end
    std::string peer_;
    std::size_t since_turn_ = 0;

    /// What a wait that ends by its deadline does.
    enum class Late { fails, returns };

    Awaitable<> wait(asio::ip::tcp::socket::wait_type what, Deadline deadline, Late late);
};

/// An error code's text as our messages have it: "connection refused".
std::string describe(const boost::system::error_code& ec);

} // namespace wharf::net
