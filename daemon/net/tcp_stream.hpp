#pragma once

#include "daemon/net/socket.hpp"

namespace wharf::net {

/// A connection without TLS.
class TcpStream final : public Stream {
  public:
    explicit TcpStream(Socket socket) : socket_{std::move(socket)} {}

    Awaitable<std::size_t> read_some(std::span<std::byte> buffer, Deadline deadline) override;
    Awaitable<std::size_t> write_some(std::string_view data, Deadline deadline) override;
    bool is_quiet() noexcept override { return socket_.is_quiet(); }
    std::size_t unacknowledged() const noexcept override { return socket_.unacknowledged(); }
    Awaitable<> wait_for_peer(std::chrono::milliseconds longest) override {
        return socket_.wait_for_peer(longest);
    }
    const std::string& peer() const noexcept override { return socket_.peer(); }

    /// Hands the socket over, for TLS inside a proxy's tunnel. Ends this stream's use.
    Socket take_socket() && { return std::move(socket_); }

  private:
    Socket socket_;
};

} // namespace wharf::net
