#pragma once

#include "daemon/async/awaitable.hpp"

#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <list>
#include <map>
#include <sys/types.h>

namespace wharf::service {

/// Shares the control thread out among uids: one turn is what somebody does until he has to wait
/// for something. Who has thousands of calls at hand delays another's by one of them, not by all.
/// A turn costs nothing while nobody else wants one. One thread.
class UserTurns {
  public:
    explicit UserTurns(Executor executor) : executor_{std::move(executor)} {}
    UserTurns(const UserTurns&) = delete;
    UserTurns& operator=(const UserTurns&) = delete;

    /// Returns when it is the uid's turn: round robin over those who wait, first come first served
    /// inside a uid. Requires: what is posted to the executor now runs before this is destroyed, or
    /// never.
    Awaitable<> take(uid_t uid);

  private:
    struct Waiter {
        asio::steady_timer timer;
        bool is_called = false;
    };
    using Line = std::list<Waiter*>;

    void end_soon();
    void call_next();

    Executor executor_;
    bool taken_ = false; ///< in this pass of the event loop
    /// Of uids that wait. One whose last waiter was cancelled stays, with none, until it would be
    /// its turn.
    std::map<uid_t, Line> lines_;
    std::deque<uid_t> order_; ///< the same uids, whose turn is next in front
};

} // namespace wharf::service
