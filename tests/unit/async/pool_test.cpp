#include "base/error.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/io_threads.hpp"
#include "daemon/async/timeout.hpp"
#include "tests/support/run_coroutine.hpp"

#include <thread>

using namespace std::chrono_literals;
using wharf::Awaitable;

namespace {

Awaitable<std::thread::id> current_thread() {
    co_return std::this_thread::get_id();
}

} // namespace

TEST_CASE("blocking work runs elsewhere and its outcome comes home") {
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
    wharf::test::run(body());
}

TEST_CASE("a task can hop to an I/O thread and back") {
    wharf::async::IoThreads threads{2};
    const auto body = [&]() -> Awaitable<> {
        const auto here = std::this_thread::get_id();
        const auto first = co_await wharf::asio::co_spawn(threads.executor(0), current_thread(),
                                                          wharf::asio::use_awaitable);
        const auto second = co_await wharf::asio::co_spawn(threads.executor(1), current_thread(),
                                                           wharf::asio::use_awaitable);
        CHECK(first != here);
        CHECK(second != first);
        CHECK(std::this_thread::get_id() == here);
    };
    wharf::test::run(body());
}

TEST_CASE("what takes too long is cancelled and named") {
    const auto body = []() -> Awaitable<> {
        std::string message;
        try {
            co_await wharf::async::with_timeout(wharf::async::sleep_for(1h), 5ms, "sleeping");
        } catch (const wharf::Error& error) {
            message = error.message();
        }
        CHECK(message == "sleeping timed out");
        const auto id =
            co_await wharf::async::with_timeout(current_thread(), 1h, "looking at the thread");
        CHECK(id == std::this_thread::get_id());
    };
    wharf::test::run(body());
}
