#include "daemon/service/user_turns.hpp"

#include "base/scope_exit.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace wharf::service {

Awaitable<> UserTurns::take(uid_t uid) {
    if (!taken_) {
        end_soon();
        co_return;
    }
    Waiter waiter{asio::steady_timer{executor_, asio::steady_timer::time_point::max()}};
    const auto [place, is_new] = lines_.try_emplace(uid);
    if (is_new) {
        order_.push_back(uid);
    }
    Line& line = place->second;
    const auto spot = line.insert(line.end(), &waiter);
    const ScopeExit leave{[&] {
        if (!waiter.is_called) { // cancelled: the line is still there
            line.erase(spot);
        }
    }};
    boost::system::error_code ec;
    co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec && !waiter.is_called) {
        throw boost::system::system_error{ec};
    }
}

/// Whoever has the turn runs until he waits; what is posted runs after that.
void UserTurns::end_soon() {
    taken_ = true;
    asio::post(executor_, [this] { call_next(); });
}

void UserTurns::call_next() {
    taken_ = false;
    while (!order_.empty() && !taken_) {
        const uid_t uid = order_.front();
        order_.pop_front();
        Line& line = lines_.at(uid);
        if (line.empty()) {
            lines_.erase(uid);
            continue;
        }
        Waiter& waiter = *line.front();
        line.pop_front();
        waiter.is_called = true;
        waiter.timer.cancel(); // posts its continuation, before the end of its turn
        if (line.empty()) {
            lines_.erase(uid);
        } else {
            order_.push_back(uid);
        }
        end_soon();
    }
}

} // namespace wharf::service
