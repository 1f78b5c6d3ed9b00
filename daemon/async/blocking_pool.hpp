#pragma once

#include "daemon/async/hop.hpp"

#include <boost/asio/thread_pool.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace wharf::async {

/// Threads for work that blocks: disk, hashing, SQLite. The caller's thread stays free.
///
/// Requires: the event loops of all callers outlive the pool; its threads still touch a loop for a
/// moment after they have given a result back.
class BlockingPool {
  public:
    explicit BlockingPool(std::size_t threads) : pool_{threads} {}

    /// Waits for work that has begun.
    ~BlockingPool() { pool_.join(); }

    /// Runs `function` on a pool thread and returns its result, or throws what it throws, on the
    /// caller's executor. It always ends before this returns, even when the task is cancelled, so
    /// `function` may refer to things in the caller's frame.
    template <typename Function>
    Awaitable<std::invoke_result_t<Function&>> run(Function function) {
        return run_to_end_on(pool_.get_executor(), call(std::move(function)));
    }

  private:
    template <typename Function>
    static Awaitable<std::invoke_result_t<Function&>> call(Function function) {
        co_return function();
    }

    asio::thread_pool pool_;
};

} // namespace wharf::async
