#include "daemon/async/hop.hpp"
#include "daemon/async/io_threads.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/scheduling/bandwidth.hpp"
#include "tests/support/run_coroutine.hpp"

#include <algorithm>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::scheduling::Allowance;
using wharf::scheduling::Bandwidth;
using wharf::scheduling::Priority;

namespace {

constexpr std::uint64_t mib = 1ULL << 20;

/// Reads `bytes` on the lane's thread, giving some back on the way.
Awaitable<> read(std::shared_ptr<Allowance> allowance, std::uint64_t bytes) {
    while (bytes > 0) {
        const std::size_t allowed = co_await allowance->take(64 << 10);
        const auto count = std::min<std::uint64_t>({allowed, bytes, 50'000});
        allowance->give_back(allowed - count);
        bytes -= count;
    }
}

Awaitable<> fetch(Bandwidth& bandwidth, wharf::Executor lane, uid_t uid, std::uint64_t bytes) {
    const auto allowance = bandwidth.open({uid, static_cast<Priority>(uid % 3)}, lane);
    co_await wharf::async::run_on(lane, read(allowance, bytes));
}

/// Starts eight fetches on two lanes.
void start(wharf::async::TaskGroup& group, Bandwidth& bandwidth, wharf::async::IoThreads& threads,
           std::uint64_t bytes) {
    for (uid_t uid = 0; uid < 8; ++uid) {
        group.spawn("fetch", fetch(bandwidth, threads.executor(uid % 2), uid, bytes));
    }
}

} // namespace

TEST_CASE("lanes on other threads keep to the limit by the clock") {
    wharf::asio::io_context context;
    wharf::async::IoThreads threads{2};
    Bandwidth bandwidth{context.get_executor()};
    const auto body = [&]() -> Awaitable<> {
        bandwidth.set_limits({.all = 40 * mib});
        wharf::async::TaskGroup group{context.get_executor()};
        const auto begin = Bandwidth::Clock::now();
        start(group, bandwidth, threads, mib);
        co_await group.join();
        const auto time = Bandwidth::Clock::now() - begin;
        CHECK(time >= 180ms); // 8 of 40 MiB a second
    };
    wharf::test::run(body(), context);
    context.restart();
    context.run(); // returns: nobody is left, so the timer stops
    CHECK_FALSE(bandwidth.ticking());
    CHECK(bandwidth.size() == 0);
}

// A sanitizer is what fails in these two: limits come and go, and fetches end, while the other
// thread is in the middle of it.
TEST_CASE("limits may change while lanes take") {
    wharf::asio::io_context context;
    wharf::async::IoThreads threads{2};
    Bandwidth bandwidth{context.get_executor()};
    const auto body = [&]() -> Awaitable<> {
        wharf::async::TaskGroup group{context.get_executor()};
        start(group, bandwidth, threads, 16 * mib);
        for (std::uint64_t round = 0; group.size() > 0; ++round) {
            bandwidth.set_limits({.all = round % 4 == 3 ? 0 : 100 * mib + round});
            co_await wharf::async::sleep_for(1ms);
        }
    };
    wharf::test::run(body(), context);
}

TEST_CASE("fetches may be cancelled while they are granted something") {
    wharf::asio::io_context context;
    wharf::async::IoThreads threads{2};
    Bandwidth bandwidth{context.get_executor()};
    const auto body = [&]() -> Awaitable<> {
        bandwidth.set_limits({.all = mib});
        for (int round = 0; round < 100; ++round) {
            wharf::async::TaskGroup group{context.get_executor()};
            start(group, bandwidth, threads, 100 * mib);
            while (group.size() > 0) {
                bandwidth.share(Bandwidth::Clock::now());
                group.cancel();
                co_await wharf::async::sleep_for(0ms);
            }
        }
    };
    wharf::test::run(body(), context, 20s);
}
