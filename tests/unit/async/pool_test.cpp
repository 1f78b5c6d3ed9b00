#include "base/error.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/hop.hpp"
#include "daemon/async/io_threads.hpp"
#include "daemon/async/task_group.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/post.hpp>

#include <thread>

using namespace std::chrono_literals;
using wharf::Awaitable;

namespace {

Awaitable<std::thread::id> current_thread() {
    co_return std::this_thread::get_id();
}

} // namespace

TEST_CASE("blocking work runs elsewhere and its outcome comes home") {
    wharf::asio::io_context context;
    wharf::async::BlockingPool pool{2};
    const auto body = [&]() -> Awaitable<> {
        const auto here = std::this_thread::get_id();
        const auto there = co_await pool.run([] { return std::this_thread::get_id(); });
        CHECK(there != here);
        CHECK(std::this_thread::get_id() == here);
        bool thrown = false;
        try {
            co_await pool.run(
                [] { throw wharf::Error{wharf::ErrorKind::storage, "disk on fire"}; });
        } catch (const wharf::Error& error) {
            thrown = error.message() == "disk on fire";
        }
        CHECK(thrown);
        CHECK(std::this_thread::get_id() == here);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a task can hop to an I/O thread and back") {
    wharf::asio::io_context context;
    wharf::async::IoThreads threads{2};
    const auto body = [&]() -> Awaitable<> {
        const auto here = std::this_thread::get_id();
        const auto first = co_await wharf::async::run_on(threads.executor(0), current_thread());
        const auto second = co_await wharf::async::run_on(threads.executor(1), current_thread());
        CHECK(first != here);
        CHECK(second != first);
        CHECK(std::this_thread::get_id() == here);
    };
    wharf::test::run(body(), context);
}

namespace {

Awaitable<> yield_often(wharf::Executor executor, int times) {
    for (int i = 0; i < times; ++i) {
        co_await wharf::asio::post(executor, wharf::asio::use_awaitable);
    }
}

Awaitable<> hop_briefly(wharf::Executor executor, int times) {
    co_await wharf::async::run_on(executor, yield_often(executor, times));
}

} // namespace

// A sanitizer is what fails here: the cancellation travels to a thread where the task may have
// ended meanwhile.
TEST_CASE("a cancellation may cross the end of the task on the other thread") {
    wharf::asio::io_context context;
    wharf::async::IoThreads threads{1};
    const auto body = [&]() -> Awaitable<> {
        for (int round = 0; round < 400; ++round) {
            wharf::async::TaskGroup group{context.get_executor()};
            for (int i = 0; i < 4; ++i) {
                group.spawn("hop", hop_briefly(threads.executor(0), round % 20 + i));
            }
            co_await yield_often(context.get_executor(), round % 7 + 2);
            group.cancel();
            co_await group.join();
        }
    };
    wharf::test::run(body(), context, std::chrono::seconds{30});
}
