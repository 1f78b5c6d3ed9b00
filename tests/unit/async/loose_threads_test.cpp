#include "daemon/async/event.hpp"
#include "daemon/async/loose_threads.hpp"
#include "tests/support/run_coroutine.hpp"

#include <future>
#include <optional>
#include <thread>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::async::LooseThreads;

TEST_CASE("a call runs elsewhere, its outcome at home") {
    wharf::asio::io_context context;
    LooseThreads threads{context.get_executor(), 2};
    wharf::async::Event done;
    std::thread::id there;
    std::thread::id home;
    const auto body = [&]() -> Awaitable<> {
        CHECK(threads.start([&]() -> LooseThreads::Outcome {
            there = std::this_thread::get_id();
            return [&] {
                home = std::this_thread::get_id();
                done.notify_all();
            };
        }));
        co_await done.wait();
        CHECK(home == std::this_thread::get_id());
        CHECK(there != home);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("hanging calls are bounded, left behind, and never heard of again") {
    std::promise<void> release;
    const auto released = release.get_future().share();
    std::promise<void> ended;
    bool heard = false;
    wharf::asio::io_context context;
    {
        LooseThreads threads{context.get_executor(), 1};
        const auto hang = [released, &ended, &heard]() -> LooseThreads::Outcome {
            released.wait();
            ended.set_value();
            return [&heard] { heard = true; };
        };
        CHECK(threads.start(hang));
        CHECK_FALSE(threads.start(hang));
    }
    release.set_value();
    ended.get_future().wait();
    context.poll();
    CHECK_FALSE(heard);
}

TEST_CASE("an outcome that is on its way when its owner goes is dropped") {
    wharf::asio::io_context context;
    bool heard = false;
    {
        LooseThreads threads{context.get_executor(), 2};
        CHECK(threads.start([&]() -> LooseThreads::Outcome { return [&] { heard = true; }; }));
        while (threads.running() > 0) {
            std::this_thread::yield();
        }
    }
    CHECK(context.poll() > 0);
    CHECK_FALSE(heard);
}

TEST_CASE("the place of a call that has ended is free again") {
    wharf::asio::io_context context;
    LooseThreads threads{context.get_executor(), 1};
    wharf::async::Event done;
    const auto body = [&]() -> Awaitable<> {
        for (int i = 0; i < 3; ++i) {
            CHECK(threads.start(
                [&]() -> LooseThreads::Outcome { return [&] { done.notify_all(); }; }));
            co_await done.wait();
        }
    };
    wharf::test::run(body(), context);
}
