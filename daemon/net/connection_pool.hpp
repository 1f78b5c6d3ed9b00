#pragma once

#include "daemon/net/stream.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <string>

namespace wharf::net {

/// Connections that wait for another request, by the origin they lead to. The youngest is used
/// first, so that those a quieter client no longer needs grow old and are closed. One thread.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
  public:
    struct Limits {
        std::size_t per_origin;
        std::chrono::milliseconds idle_timeout;
    };

    /// Must be owned by a shared_ptr: its timer's handler may come after its end.
    ConnectionPool(const Executor& executor, Limits limits);

    /// A connection on which the peer has been quiet, or null. Drops the others it meets.
    std::unique_ptr<Stream> take(const std::string& origin) noexcept;

    /// Keeps a connection; closes the oldest of its origin when there are too many.
    void keep(const std::string& origin, std::unique_ptr<Stream> stream) noexcept;

    void clear() noexcept;

    std::size_t size() const noexcept;

  private:
    struct Idle {
        std::unique_ptr<Stream> stream;
        std::chrono::steady_clock::time_point until;
    };

    Limits limits_;
    std::map<std::string, std::deque<Idle>> idle_; ///< oldest first; no empty ones
    asio::steady_timer timer_;
    bool armed_ = false;

    void arm();
    void drop_old() noexcept;
};

} // namespace wharf::net
