#include "daemon/async/event.hpp"

#include "base/scope_exit.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace wharf::async {

using Clock = std::chrono::steady_clock;

void Event::notify_all() {
    for (auto& waiter : waiters_) {
        waiter.notified = true;
        waiter.timer.cancel();
    }
}

Awaitable<> Event::wait() {
    co_await wait_until(Clock::time_point::max());
}

Awaitable<bool> Event::wait_for(Clock::duration limit) {
    const bool notified = co_await wait_until(Clock::now() + limit);
    co_return notified;
}

Awaitable<bool> Event::wait_until(Clock::time_point limit) {
    const Executor executor = co_await asio::this_coro::executor;
    const auto waiter =
        waiters_.insert(waiters_.end(), Waiter{asio::steady_timer{executor, limit}});
    const ScopeExit leave{[this, waiter] { waiters_.erase(waiter); }};
    boost::system::error_code ec;
    co_await waiter->timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    // Being notified cancels the timer; so does the task's cancellation, which must not get lost.
    if (ec && !waiter->notified) {
        throw boost::system::system_error{ec};
    }
    co_return waiter->notified;
}

Awaitable<> sleep_for(Clock::duration duration) {
    asio::steady_timer timer{co_await asio::this_coro::executor, duration};
    co_await timer.async_wait(asio::use_awaitable);
}

} // namespace wharf::async
