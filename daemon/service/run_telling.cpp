#include "daemon/service/run_telling.hpp"

#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <exception>
#include <memory>
#include <utility>

namespace wharf::service {

namespace {

struct Outcome {
    bool over = false;
    std::exception_ptr failure;
    async::Event changed;
};

Awaitable<> note_outcome(Awaitable<> work, std::shared_ptr<Outcome> outcome) {
    try {
        co_await std::move(work);
    } catch (...) { // handed to whoever waits for the outcome
        outcome->failure = std::current_exception();
    }
    outcome->over = true;
    outcome->changed.notify_all();
}

} // namespace

Awaitable<> run_telling(Awaitable<> work, std::function<Awaitable<>()> tell,
                        std::chrono::milliseconds period) {
    async::TaskGroup group{co_await asio::this_coro::executor};
    const auto outcome = std::make_shared<Outcome>();
    group.spawn("work of a call", note_outcome(std::move(work), outcome));
    std::exception_ptr failure;
    try {
        while (!outcome->over) {
            const bool ended = co_await outcome->changed.wait_for(period);
            if (!ended && !outcome->over) {
                co_await tell();
            }
        }
    } catch (...) { // rethrown when the work has ended
        failure = std::current_exception();
    }
    if (failure) {
        co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    }
    group.cancel();
    co_await group.join();
    if (failure || outcome->failure) {
        std::rethrow_exception(failure ? failure : outcome->failure);
    }
}

} // namespace wharf::service
