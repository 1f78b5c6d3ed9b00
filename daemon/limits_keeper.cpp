#include "daemon/limits_keeper.hpp"

#include "base/log.hpp"

#include <utility>

namespace wharf {

using namespace std::chrono_literals;

LimitsKeeper::LimitsKeeper(Limits limits, async::BlockingPool& pool, Apply apply)
    : limits_{std::move(limits)}, pool_{pool}, apply_{std::move(apply)} {}

void LimitsKeeper::set(Limits limits) {
    limits_ = std::move(limits);
    warned_.clear();
    apply_now();
    changed_.notify_all();
}

Awaitable<> LimitsKeeper::keep_time() {
    for (;;) {
        apply_now();
        co_await async::sleep_for(1s);
    }
}

Awaitable<> LimitsKeeper::keep_users() {
    for (;;) {
        const Limits asked = limits_; // set() may change them meanwhile
        const UserIds found = co_await pool_.run([&asked] { return look_up_users(asked); });
        learn(found);
        if (asked == limits_) {
            co_await changed_.wait_for(1min);
        }
    }
}

void LimitsKeeper::apply_now() {
    const TwoWayRates rates = rates_at(limits_, wall_time(std::time(nullptr)));
    apply_(bandwidth_limits(rates.download, users_), bandwidth_limits(rates.upload, users_));
}

void LimitsKeeper::learn(const UserIds& found) {
    for (const auto& [name, uid] : found) {
        auto& known = users_[name];
        known = uid ? uid : known;
        if (!known && warned_.insert(name).second) {
            log::warning("app", "[limits] names the user {}, whom this machine does not know",
                         name);
        }
    }
    apply_now();
}

} // namespace wharf
