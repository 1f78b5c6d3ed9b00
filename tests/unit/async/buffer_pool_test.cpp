#include "daemon/async/buffer_pool.hpp"
#include "daemon/async/hop.hpp"
#include "daemon/async/io_threads.hpp"
#include "daemon/async/task_group.hpp"
#include "tests/support/run_coroutine.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::async::BufferPool;
using wharf::async::TaskGroup;
using Buffer = BufferPool::Buffer;

namespace {

constexpr std::size_t budget_of(std::size_t buffers) {
    return buffers * BufferPool::buffer_size;
}

Awaitable<> take(BufferPool& pool, int number, std::vector<int>& order, std::vector<Buffer>& kept) {
    auto buffer = co_await pool.acquire();
    order.push_back(number);
    kept.push_back(std::move(buffer));
}

/// How many pages of the buffer are in memory.
std::size_t pages_of(const Buffer& buffer) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    std::vector<unsigned char> there(BufferPool::buffer_size / page);
    REQUIRE(::mincore(buffer.bytes().data(), BufferPool::buffer_size, there.data()) == 0);
    std::size_t count = 0;
    for (const auto bits : there) {
        count += bits & 1U;
    }
    return count;
}

} // namespace

TEST_CASE("a pool has as many buffers as its budget, all different") {
    CHECK(BufferPool{1}.capacity() == 1);
    CHECK(BufferPool{budget_of(3) - 1}.capacity() == 2);
    BufferPool pool{budget_of(3)};
    std::vector<Buffer> buffers;
    std::set<const std::byte*> places;
    for (int i = 0; i < 3; ++i) {
        auto buffer = pool.try_acquire();
        REQUIRE(buffer.has_value());
        std::memset(buffer->bytes().data(), i, buffer->bytes().size());
        places.insert(buffer->bytes().data());
        buffers.push_back(std::move(*buffer));
    }
    CHECK(places.size() == 3);
    CHECK(buffers[0].bytes().back() == std::byte{0});
    CHECK(buffers[1].bytes().front() == std::byte{1});
    CHECK(pool.in_use() == 3);
    CHECK_FALSE(pool.try_acquire().has_value());
    const auto* last = buffers[1].bytes().data();
    buffers[1].release();
    CHECK_FALSE(static_cast<bool>(buffers[1]));
    CHECK(pool.in_use() == 2);
    const auto again = pool.try_acquire();
    REQUIRE(again.has_value());
    CHECK(again->bytes().data() == last); // the hottest first
}

TEST_CASE("who waits gets buffers in order, and nobody overtakes") {
    BufferPool pool{budget_of(1)};
    std::vector<int> order;
    std::vector<Buffer> kept;
    const auto body = [&]() -> Awaitable<> {
        TaskGroup group{co_await wharf::asio::this_coro::executor};
        auto held = pool.try_acquire();
        for (int i = 0; i < 3; ++i) {
            group.spawn("take", take(pool, i, order, kept));
        }
        co_await wharf::async::sleep_for(1ms);
        CHECK(order.empty());
        held->release();
        CHECK_FALSE(pool.try_acquire().has_value()); // it is the first waiter's already
        for (int i = 0; i < 3; ++i) {
            while (kept.empty()) {
                co_await wharf::async::sleep_for(1ms);
            }
            CHECK(order.back() == i);
            kept.clear();
        }
        co_await group.join();
    };
    wharf::test::run(body());
    CHECK(pool.in_use() == 0);
}

TEST_CASE("a waiter that is cancelled passes on what it was granted") {
    BufferPool pool{budget_of(1)};
    std::vector<int> order;
    std::vector<Buffer> kept;
    const auto body = [&]() -> Awaitable<> {
        const auto executor = co_await wharf::asio::this_coro::executor;
        TaskGroup first{executor};
        TaskGroup second{executor};
        auto held = pool.try_acquire();
        first.spawn("take", take(pool, 1, order, kept));
        second.spawn("take", take(pool, 2, order, kept));
        co_await wharf::async::sleep_for(1ms);
        first.cancel(); // before it learns of its buffer
        held->release();
        co_await first.join();
        co_await second.join();
        CHECK(order == std::vector{2});
    };
    wharf::test::run(body());
    kept.clear();
    CHECK(pool.in_use() == 0);
}

TEST_CASE("idle buffers lose their pages, those in use do not") {
    BufferPool pool{budget_of(3)};
    {
        auto used = pool.try_acquire();
        auto idle = pool.try_acquire();
        std::memset(used->bytes().data(), 1, used->bytes().size());
        std::memset(idle->bytes().data(), 1, idle->bytes().size());
        CHECK(pool.resident() == 2);
        idle->release();
        pool.trim(1h);
        CHECK(pool.resident() == 2);
        pool.trim(0s);
        CHECK(pool.resident() == 1);
        CHECK(used->bytes().back() == std::byte{1});
        auto fresh = pool.try_acquire();
        CHECK(pages_of(*fresh) == 0);
        CHECK(pages_of(*used) > 0);
    }
    CHECK(pool.in_use() == 0);
}

namespace {

Awaitable<> churn(BufferPool& pool, std::atomic<int>& wrong, std::byte mark) {
    for (int i = 0; i < 300; ++i) {
        auto buffer = co_await pool.acquire();
        const auto bytes = buffer.bytes().first(8);
        std::ranges::fill(bytes, mark);
        if (i % 3 == 0) {
            co_await wharf::async::sleep_for(0s); // others run while we hold it
        }
        for (const auto byte : bytes) {
            wrong += byte == mark ? 0 : 1;
        }
    }
}

Awaitable<> churn_on(wharf::Executor executor, BufferPool& pool, std::atomic<int>& wrong,
                     std::byte mark) {
    co_await wharf::async::run_on(std::move(executor), churn(pool, wrong, mark));
}

} // namespace

TEST_CASE("many threads share few buffers") {
    wharf::asio::io_context context;
    wharf::async::IoThreads threads{3};
    BufferPool pool{budget_of(2)};
    std::atomic<int> wrong{0};
    const auto body = [&]() -> Awaitable<> {
        TaskGroup group{context.get_executor()};
        for (int i = 0; i < 9; ++i) {
            group.spawn("churn", churn_on(threads.executor(static_cast<std::size_t>(i) % 3), pool,
                                          wrong, static_cast<std::byte>(i)));
        }
        while (group.size() > 0) {
            pool.trim(0s);
            co_await wharf::async::sleep_for(1ms);
        }
    };
    wharf::test::run(body(), context, 30s);
    CHECK(wrong == 0);
    CHECK(pool.in_use() == 0);
}
