#pragma once

#include "daemon/async/awaitable.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <list>

namespace wharf::async {

/// Lets coroutines of one thread wait until another says that something changed. It holds no
/// state: look at the state, then wait, and look again. Must outlive its waiters.
class Event {
  public:
    void notify_all();

    /// Returns at the next notify_all(). Throws operation_aborted when the task is cancelled.
    Awaitable<> wait();

    /// As wait(), but returns after `limit` in any case; false when that was the reason.
    Awaitable<bool> wait_for(std::chrono::steady_clock::duration limit);

  private:
    struct Waiter {
        asio::steady_timer timer;
        bool notified = false;
    };
    std::list<Waiter> waiters_;

    Awaitable<bool> wait_until(std::chrono::steady_clock::time_point limit);
};

/// Waits. Throws operation_aborted when the task is cancelled.
Awaitable<> sleep_for(std::chrono::steady_clock::duration duration);

} // namespace wharf::async
