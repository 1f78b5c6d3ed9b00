#include "daemon/async/do_all.hpp"

#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <exception>

namespace wharf::async {

namespace {

struct Rest {
    std::function<Awaitable<>(std::size_t)> one;
    std::size_t next;
    std::size_t end;
    std::size_t workers;
    std::exception_ptr trouble;
    Event worker_ended;
};

/// Requires: `rest` outlives it.
Awaitable<> do_some(Rest* rest) {
    const ScopeExit tell{[rest] {
        --rest->workers;
        rest->worker_ended.notify_all();
    }};
    try {
        while (rest->next < rest->end && !rest->trouble) {
            co_await rest->one(rest->next++);
        }
    } catch (...) { // rethrown by do_all()
        if (!rest->trouble) {
            rest->trouble = std::current_exception();
        }
    }
}

} // namespace

Awaitable<> do_all(std::string name, std::size_t count, std::size_t at_once,
                   std::function<Awaitable<>(std::size_t)> one) {
    Rest rest{.one = std::move(one),
              .next = 0,
              .end = count,
              .workers = std::min(at_once, count),
              .trouble = {},
              .worker_ended = {}};
    TaskGroup tasks{co_await asio::this_coro::executor};
    for (std::size_t i = rest.workers; i > 0; --i) {
        tasks.spawn(name, do_some(&rest));
    }
    std::exception_ptr failure;
    try {
        while (rest.workers > 0 && !rest.trouble) {
            co_await rest.worker_ended.wait();
        }
        if (!rest.trouble) {
            co_await tasks
                .join(); // can be cancelled: no request to stop is lost when all goes well
        }
    } catch (...) { // rethrown when the tasks are gone
        failure = std::current_exception();
    }
    if (failure || rest.trouble) {
        tasks.cancel();
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
        co_await tasks.join();
        co_await asio::this_coro::reset_cancellation_state();
        std::rethrow_exception(failure ? failure : rest.trouble);
    }
}

} // namespace wharf::async
