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
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace wharf::net {

namespace {

using Clock = std::chrono::steady_clock;
using asio::ip::tcp;

/// A peer whose machine is gone, or whose packets a middlebox has begun to drop, sends no end of
/// the connection. After so long without a sign of it our kernel asks, and so many times: it is
/// given up after 30 s, sooner than we would wait for the first byte of an answer. This also keeps
/// the entry of a long silent connection in NATs alive.
constexpr int probe_after_s = 15;
constexpr int probe_interval_s = 5;
constexpr int most_probes = 3;

/// How much the kernel takes in that it cannot send yet; it may want megabytes. With little of it a
/// sender notices soon how slow a link is, and that its bytes are not wanted; with much less than a
/// sender hands over at once it would starve a fast one.
constexpr int most_unsent_bytes = 256 << 10;

void set_option(int fd, int level, int name, int value) noexcept {
    static_cast<void>(::setsockopt(fd, level, name, &value, sizeof value)); // or do without it
}

} // namespace

/// The kernel judges by the time since it last heard of the peer, once a probe is out: a peer that
/// has been silent for `within` already has one second to answer. What was sent and not
/// acknowledged is judged by the same limit at its next repetition.
void OpenSockets::probe(std::chrono::seconds within) noexcept {
    for (const int fd : descriptors_) {
        set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(within.count()) * 1000);
        set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
        set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1); // last: it sets the timer
    }
}

struct Socket::State : std::enable_shared_from_this<State> {
    State(tcp::socket s, std::shared_ptr<OpenSockets> g)
        : group{std::move(g)}, socket{std::move(s)}, timer{socket.get_executor()} {
        group->descriptors_.insert(socket.native_handle());
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    ~State() { group->descriptors_.erase(socket.native_handle()); }

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

    std::shared_ptr<OpenSockets> group;
    tcp::socket socket;
    asio::steady_timer timer;
    Clock::time_point limit = Clock::time_point::max();       ///< of the current wait
    Clock::time_point armed_until = Clock::time_point::max(); ///< when the timer fires
    bool fired = false;
};

Socket::Socket(tcp::socket socket, std::string peer, std::shared_ptr<OpenSockets> group)
    : state_{std::make_shared<State>(std::move(socket), std::move(group))}, peer_{std::move(peer)} {
    boost::system::error_code ignored; // a connection that is lost already tells so when used
    state_->socket.non_blocking(true, ignored);
    state_->socket.set_option(tcp::no_delay{true}, ignored);
    const int fd = state_->socket.native_handle();
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, probe_after_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, probe_interval_s);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, most_probes);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, most_unsent_bytes);
}

Socket::~Socket() = default;

ssize_t Socket::receive(std::span<std::byte> buffer) noexcept {
    ssize_t count = 0;
    do {
        count = ::recv(state_->socket.native_handle(), buffer.data(), buffer.size(), 0);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        state_->group->received_.fetch_add(static_cast<std::uint64_t>(count),
                                           std::memory_order_relaxed);
        since_turn_ += static_cast<std::size_t>(count);
    }
    return count;
}

ssize_t Socket::send(std::string_view data) noexcept {
    ssize_t count = 0;
    do {
        count = ::send(state_->socket.native_handle(), data.data(), data.size(), MSG_NOSIGNAL);
    } while (count < 0 && errno == EINTR);
    if (count > 0) {
        state_->group->sent_.fetch_add(static_cast<std::uint64_t>(count),
                                       std::memory_order_relaxed);
        since_turn_ += static_cast<std::size_t>(count);
    }
    return count;
}

Awaitable<> Socket::wait_readable(Deadline deadline) {
    return wait(tcp::socket::wait_read, deadline, Late::fails);
}

Awaitable<> Socket::wait_writable(Deadline deadline) {
    return wait(tcp::socket::wait_write, deadline, Late::fails);
}

Awaitable<> Socket::wait_for_peer(std::chrono::milliseconds longest) {
    return wait(tcp::socket::wait_read, Deadline::after(longest, "waiting for"), Late::returns);
}

std::size_t Socket::unacknowledged() const noexcept {
    int bytes = 0;
    const bool known = ::ioctl(state_->socket.native_handle(), SIOCOUTQ, &bytes) == 0;
    return known && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

Awaitable<> Socket::wait(tcp::socket::wait_type what, Deadline deadline, Late late) {
    since_turn_ = 0;
    const auto state = state_;
    state->start(deadline.at);
    const ScopeExit leave{[&state]() noexcept { state->stop(); }};
    boost::system::error_code ec;
    co_await state->socket.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
    if (state->fired && late == Late::fails) {
        throw deadline.error(peer_);
    }
    if (ec && !state->fired) { // the task's cancellation
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
