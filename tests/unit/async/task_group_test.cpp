#include "daemon/async/event.hpp"
#include "daemon/async/hop.hpp"
#include "daemon/async/io_threads.hpp"
#include "daemon/async/task_group.hpp"
#include "tests/support/run_coroutine.hpp"

#include <atomic>
#include <stdexcept>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::async::TaskGroup;

namespace {

Awaitable<> sleep_long(bool& cleaned_up) {
    struct Mark {
        bool& flag;
        ~Mark() { flag = true; }
    } const mark{cleaned_up};
    co_await wharf::async::sleep_for(1h);
}

Awaitable<> fail() {
    co_await wharf::async::sleep_for(0s);
    throw std::runtime_error{"expected in this test's output"};
}

Awaitable<> sleep_elsewhere(wharf::Executor executor, bool& cleaned_up) {
    co_await wharf::async::run_on(executor, sleep_long(cleaned_up));
}

} // namespace

TEST_CASE("cancelling ends all tasks, also those of other threads, and join waits for them") {
    wharf::asio::io_context context;
    wharf::async::IoThreads threads{1};
    TaskGroup group{context.get_executor()};
    bool here = false;
    bool there = false;
    const auto body = [&]() -> Awaitable<> {
        group.spawn("here", sleep_long(here));
        group.spawn("there", sleep_elsewhere(threads.executor(0), there));
        co_await wharf::async::sleep_for(5ms);
        group.cancel();
        co_await group.join();
        CHECK(here);
        CHECK(there);
        CHECK(group.size() == 0);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a task spawned after the cancellation ends too") {
    wharf::asio::io_context context;
    TaskGroup group{context.get_executor()};
    bool cleaned_up = false;
    const auto body = [&]() -> Awaitable<> {
        group.cancel();
        group.spawn("late", sleep_long(cleaned_up));
        co_await group.join();
        CHECK(cleaned_up);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a task cancelled before it began still begins, and ends at its first wait") {
    wharf::asio::io_context context;
    TaskGroup group{context.get_executor()};
    bool cleaned_up = false;
    const auto body = [&]() -> Awaitable<> {
        group.spawn("early", sleep_long(cleaned_up));
        group.cancel();
        co_await group.join();
        CHECK(cleaned_up);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("one task's failure leaves the others alone") {
    wharf::asio::io_context context;
    TaskGroup group{context.get_executor()};
    bool cleaned_up = false;
    const auto body = [&]() -> Awaitable<> {
        group.spawn("failing", fail());
        group.spawn("sleeping", sleep_long(cleaned_up));
        co_await wharf::async::sleep_for(5ms);
        CHECK(group.size() == 1);
        CHECK_FALSE(cleaned_up);
        group.cancel();
        co_await group.join();
    };
    wharf::test::run(body(), context);
}

namespace {

Awaitable<> mark(bool& flag) {
    flag = true;
    co_return;
}

} // namespace

TEST_CASE("a task does not begin before spawn() has returned") {
    wharf::asio::io_context context;
    TaskGroup group{context.get_executor()};
    bool begun = false;
    const auto body = [&]() -> Awaitable<> {
        group.spawn("mark", mark(begun));
        CHECK_FALSE(begun);
        co_await group.join();
        CHECK(begun);
    };
    wharf::test::run(body(), context);
}
