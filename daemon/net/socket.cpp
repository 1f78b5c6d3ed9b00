// The watchdog: a wait stores its deadline; the timer runs from the first wait on and is only set
// again when it fires before the deadline that is current by then, or when a deadline comes that is
// earlier than the timer. So a body read in a thousand waits sets the timer once in
// `stall_timeout`.

#include "daemon/net/socket.hpp"

#include "base/scope_exit.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <sys/socket.h>

namespace wharf::net {

namespace {

using Clock = std::chrono::steady_clock;
using asio::ip::tcp;

} // namespace

struct Socket::State : std::enable_shared_from_this<State> {
    explicit State(tcp::socket s) : socket{std::move(s)}, timer{socket.get_executor()} {}

    void start(Clock::time_point at) {
        fired = false;
        limit = at;
        if (at < armed_until) {
            arm();
        }
    }

    void stop() noexcept { limit = Clock::time_point::max(); }

    void arm() {
        armed_until = limit;
        timer.expires_at(limit);
        timer.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
            const auto self = weak.lock();
            if (self && !ec) {
                self->on_timer();
            }
        });
    }

    void on_timer() {
        armed_until = Clock::time_point::max();
        if (limit == Clock::time_point::max()) {
            return;
        }
        if (Clock::now() < limit) {
            arm();
            return;
        }
        fired = true;
        boost::system::error_code ignored;
        socket.cancel(ignored);
    }

    tcp::socket socket;
    asio::steady_timer timer;
    Clock::time_point limit = Clock::time_point::max();       ///< of the current wait
    Clock::time_point armed_until = Clock::time_point::max(); ///< when the timer fires
    bool fired = false;
};

Socket::Socket(tcp::socket socket, std::string peer, ByteCounter received)
    : state_{std::make_shared<State>(std::move(socket))}, peer_{std::move(peer)},
      received_{std::move(received)} {
    boost::system::error_code ignored; // a connection that is lost already tells so when used
    state_->socket.non_blocking(true, ignored);
    state_->socket.set_option(tcp::no_delay{true}, ignored);
}

Socket::~Socket() = default;

ssize_t Socket::receive(std::span<std::byte> buffer) noexcept {
    ssize_t count = 0;
    do {
        count = ::recv(state_->socket.native_handle(), buffer.data(), buffer.size(), 0);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        received_->fetch_add(static_cast<std::uint64_t>(count), std::memory_order_relaxed);
        since_turn_ += static_cast<std::size_t>(count);
    }
    return count;
}

ssize_t Socket::send(std::string_view data) noexcept {
    ssize_t count = 0;
    do {
        count = ::send(state_->socket.native_handle(), data.data(), data.size(), MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    return count;
}

Awaitable<> Socket::wait_readable(Deadline deadline) {
    return wait(tcp::socket::wait_read, deadline);
}

Awaitable<> Socket::wait_writable(Deadline deadline) {
    return wait(tcp::socket::wait_write, deadline);
}

Awaitable<> Socket::wait(tcp::socket::wait_type what, Deadline deadline) {
    since_turn_ = 0;
    const auto state = state_;
    state->start(deadline.at);
    const ScopeExit leave{[&state]() noexcept { state->stop(); }};
    boost::system::error_code ec;
    co_await state->socket.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
    if (state->fired) {
        throw deadline.error(peer_);
    }
    if (ec) { // the task's cancellation
        throw boost::system::system_error{ec};
    }
}

Awaitable<> Socket::yield() {
    since_turn_ = 0;
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
}

bool Socket::is_quiet() const noexcept {
    char byte = 0;
    return ::recv(state_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
           (errno == EAGAIN || errno == EWOULDBLOCK);
}

ConnectionLost Socket::lost(std::string_view step, int error_number) const {
    const boost::system::error_code ec{error_number, boost::system::system_category()};
    return ConnectionLost{fmt::format("{} {}: {}", step, peer_, describe(ec))};
}

std::string describe(const boost::system::error_code& ec) {
    std::string text = ec.message();
    if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a') {
        text[0] = static_cast<char>(text[0] - 'A' + 'a');
    }
    return text;
}

} // namespace wharf::net
