#pragma once

#include "daemon/async/event.hpp"

#include <list>
#include <memory>
#include <string>

namespace wharf::async {

/// Owns coroutines: whoever starts work can stop it and wait until it is gone. Every coroutine that
/// is not awaited directly belongs to one. All calls on the executor's one thread.
///
/// A task's exception ends only that task and is logged; cancellation is not an error. A task
/// spawned after cancel() begins too, and is cancelled at its first wait: no task is ever dropped
/// without having run.
class TaskGroup {
  public:
    explicit TaskGroup(Executor executor);

    /// Requires: all tasks have ended (join() has returned), or the executor will not run again.
    ~TaskGroup();

    /// Starts `task` on the group's executor, not before this returns. `name` is for the log.
    void spawn(std::string name, Awaitable<> task);

    /// Asks all tasks to stop at their next wait.
    void cancel();

    /// Waits until no task is left. Not from one of the group's own tasks.
    ///
    /// A coroutine that may have been cancelled itself must first say
    /// `co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation())`, or the
    /// wait throws at once and leaves the tasks behind.
    Awaitable<> join();

    std::size_t size() const noexcept;

  private:
    struct Task;
    struct State;
    static Awaitable<> begin_later(std::shared_ptr<Task> entry, Awaitable<> task);

    std::shared_ptr<State> state_; // shared with completions, which may come after our end
};

} // namespace wharf::async
