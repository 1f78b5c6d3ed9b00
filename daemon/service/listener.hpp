#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/service/listening_socket.hpp"
#include "daemon/service/log_limit.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>

namespace wharf::service {

/// Accepts connections until it is closed or its task is cancelled. When this process or the
/// machine has no descriptors left it waits a little and goes on; clients wait in the kernel's
/// queue.
class Listener {
  public:
    /// `on_connection` gets each connection, non-blocking and close-on-exec. It must not throw.
    Listener(Executor executor, ListeningSocket socket,
             std::function<void(UniqueFd)> on_connection);
    ~Listener();

    /// The accept loop; the listener must outlive it.
    Awaitable<> run();

    /// Ends run() and takes the socket out of the file system.
    void close() noexcept;

  private:
    bool accept_waiting();
    void log_exhausted(int error_number);

    ListeningSocket socket_;
    asio::posix::stream_descriptor watch_; ///< the same descriptor, for waiting; does not own it
    asio::steady_timer pause_;
    std::function<void(UniqueFd)> on_connection_;
    LogLimit log_limit_;
};

} // namespace wharf::service
