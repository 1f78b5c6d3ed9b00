#include "daemon/service/listener.hpp"

#include "base/log.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <system_error>
#include <utility>

namespace wharf::service {

namespace {

/// How many to accept before others get their turn on the loop.
constexpr int accept_batch = 64;

/// How long to leave things alone when there are no descriptors.
constexpr std::chrono::milliseconds exhausted_pause{100};

} // namespace

Listener::Listener(Executor executor, ListeningSocket socket,
                   std::function<void(UniqueFd)> on_connection)
    : socket_{std::move(socket)}, watch_{executor, socket_.fd()}, pause_{std::move(executor)},
      on_connection_{std::move(on_connection)} {}

Listener::~Listener() {
    close();
}

void Listener::close() noexcept {
    if (watch_.is_open()) {
        watch_.release(); // ends what waits
    }
    pause_.cancel();
    socket_.close();
}

Awaitable<> Listener::run() {
    while (watch_.is_open()) {
        boost::system::error_code ec;
        co_await watch_.async_wait(asio::posix::descriptor_base::wait_read,
                                   asio::redirect_error(asio::use_awaitable, ec));
        if (ec) {
            co_return;
        }
        if (!accept_waiting()) {
            pause_.expires_after(exhausted_pause);
            co_await pause_.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        }
    }
}

/// False when there is nothing left to accept with.
bool Listener::accept_waiting() {
    for (int i = 0; i < accept_batch; ++i) {
        UniqueFd connection{
            adopt_fd, ::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (connection) {
            on_connection_(std::move(connection));
        } else if (errno == EAGAIN) {
            return true;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            log_exhausted(errno);
            return false;
        }
    }
    return true;
}

void Listener::log_exhausted(int error_number) {
    if (log_limit_.allow()) {
        log::warning("service", "cannot accept connections now: {}",
                     std::generic_category().message(error_number));
    }
}

} // namespace wharf::service
