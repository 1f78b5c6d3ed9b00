#include "daemon/async/semaphore.hpp"

#include "base/scope_exit.hpp"

#include <utility>

namespace wharf::async {

void Semaphore::Permit::release() noexcept {
    if (auto* owner = std::exchange(owner_, nullptr)) {
        owner->give_back();
    }
}

Awaitable<Semaphore::Permit> Semaphore::acquire() {
    if (free_ > 0 && waiters_.empty()) {
        --free_;
        co_return Permit{*this};
    }
    const auto waiter = waiters_.emplace(waiters_.end());
    ScopeExit leave{[this, waiter] {
        const bool granted = waiter->granted;
        waiters_.erase(waiter);
        if (granted) { // cancelled between the grant and waking up: the unit goes to the next
            give_back();
        }
    }};
    while (!waiter->granted) {
        co_await waiter->turn.wait();
    }
    leave.release();
    waiters_.erase(waiter);
    co_return Permit{*this};
}

void Semaphore::give_back() noexcept {
    ++free_;
    wake_next();
}

void Semaphore::wake_next() {
    for (auto& waiter : waiters_) {
        if (free_ <= 0) {
            return;
        }
        if (!waiter.granted) {
            waiter.granted = true;
            --free_;
            waiter.turn.notify_all();
        }
    }
}

} // namespace wharf::async
