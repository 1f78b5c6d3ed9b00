#include "daemon/async/event.hpp"
#include "daemon/async/semaphore.hpp"
#include "daemon/async/task_group.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/post.hpp>

#include <vector>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::async::Event;
using wharf::async::Semaphore;
using wharf::async::TaskGroup;

namespace {

Awaitable<> yield(wharf::Executor executor) {
    co_await wharf::asio::post(executor, wharf::asio::use_awaitable);
}

Awaitable<> wait_and_count(Event& event, int& count) {
    co_await event.wait();
    ++count;
}

Awaitable<> hold(Semaphore& semaphore, Event& release, std::vector<int>& order, int id) {
    const auto permit = co_await semaphore.acquire();
    order.push_back(id);
    co_await release.wait();
}

} // namespace

TEST_CASE("an event wakes all who wait, and only those") {
    wharf::asio::io_context context;
    Event event;
    TaskGroup group{context.get_executor()};
    int woken = 0;
    const auto body = [&]() -> Awaitable<> {
        event.notify_all(); // nobody waits yet: not remembered
        group.spawn("a", wait_and_count(event, woken));
        group.spawn("b", wait_and_count(event, woken));
        for (int i = 0; i < 5; ++i) {
            co_await yield(context.get_executor());
        }
        CHECK(woken == 0);
        event.notify_all();
        co_await group.join();
        CHECK(woken == 2);
        const bool notified = co_await event.wait_for(1ms);
        CHECK_FALSE(notified);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a semaphore serves in order and survives a cancelled waiter") {
    wharf::asio::io_context context;
    Semaphore semaphore{1};
    Event release;
    std::vector<int> order;
    TaskGroup holder{context.get_executor()};
    TaskGroup doomed{context.get_executor()};
    TaskGroup later{context.get_executor()};
    const auto body = [&]() -> Awaitable<> {
        holder.spawn("1", hold(semaphore, release, order, 1));
        co_await yield(context.get_executor());
        doomed.spawn("2", hold(semaphore, release, order, 2));
        co_await yield(context.get_executor());
        later.spawn("3", hold(semaphore, release, order, 3));
        co_await yield(context.get_executor());
        CHECK(order == std::vector<int>{1});
        // The permit is granted to 2 and 2 is cancelled in the same breath: 3 must get it.
        release.notify_all();
        co_await holder.join();
        doomed.cancel();
        co_await doomed.join();
        while (order.back() != 3) {
            co_await yield(context.get_executor());
        }
        release.notify_all();
        co_await later.join();
    };
    wharf::test::run(body(), context);
}
