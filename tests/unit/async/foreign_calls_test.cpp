#include "base/error.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/foreign_calls.hpp"
#include "tests/support/run_coroutine.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

using wharf::Awaitable;
using wharf::async::ForeignCalls;
namespace asio = wharf::asio;

namespace {

/// Calls that hang until they are let go.
class Hanging {
  public:
    ForeignCalls::Call call() const {
        return [released = released_] { released.wait(); };
    }
    void release() { release_.set_value(); }

  private:
    std::promise<void> release_;
    std::shared_future<void> released_ = release_.get_future().share();
};

struct Fixture {
    asio::io_context context;
    ForeignCalls calls{context.get_executor()};
    wharf::async::Event ended;
    std::vector<uid_t> order; ///< whose calls ended

    std::function<void()> note(uid_t uid) {
        return [this, uid] {
            order.push_back(uid);
            ended.notify_all();
        };
    }
    Awaitable<> wait_for(std::size_t count) {
        while (order.size() < count) {
            co_await ended.wait();
        }
    }
};

} // namespace

TEST_CASE("a call runs on another thread, and what it throws arrives") {
    Fixture f;
    std::thread::id there;
    wharf::test::run(f.calls.run(1, [&] { there = std::this_thread::get_id(); }), f.context);
    CHECK(there != std::this_thread::get_id());
    const auto failing = [] { throw wharf::Error{wharf::ErrorKind::storage, "broken"}; };
    CHECK_THROWS_AS(wharf::test::run(f.calls.run(1, failing), f.context), wharf::Error);
}

TEST_CASE("hanging calls of one account cost its own threads, and nobody else's") {
    Hanging hanging;
    Fixture f;
    for (std::size_t i = 0; i < ForeignCalls::most_for_account + 100; ++i) {
        f.calls.start(1, hanging.call(), f.note(1));
    }
    for (int i = 0; i < 5; ++i) {
        wharf::test::run(f.calls.run(2, [] {}), f.context);
    }
    CHECK(f.order.empty());
    hanging.release();
    wharf::test::run(f.wait_for(ForeignCalls::most_for_account + 100), f.context);
}

TEST_CASE("where all threads are taken, accounts take turns") {
    Hanging first;
    Fixture f;
    std::atomic<int> at_once = 0;
    std::atomic<int> most = 0;
    const uid_t busy = ForeignCalls::most / ForeignCalls::most_for_account;
    for (uid_t uid = 1; uid <= busy; ++uid) {
        f.calls.start(uid, first.call(), f.note(uid));
        f.calls.start(uid, first.call(), f.note(uid));
    }
    const auto counted = [&] {
        const int now = ++at_once;
        int before = most;
        while (before < now && !most.compare_exchange_weak(before, now)) {
        }
        --at_once;
    };
    for (int i = 0; i < 50; ++i) {
        f.calls.start(100, counted, f.note(100));
    }
    f.calls.start(200, counted, f.note(200));
    f.context.restart();
    f.context.poll();
    CHECK(f.order.empty()); // all wait
    first.release();
    wharf::test::run(f.wait_for(ForeignCalls::most + 51), f.context);
    const auto late = std::ranges::find(f.order, uid_t{200});
    CHECK(std::count(f.order.begin(), late, uid_t{100}) < 10); // not after all fifty
    CHECK(most <= static_cast<int>(ForeignCalls::most_for_account) + 1);
}

TEST_CASE("who goes leaves hanging calls behind, and those that wait do not begin") {
    Hanging hanging;
    auto begun = std::make_shared<std::atomic<bool>>(false);
    bool heard = false;
    {
        Fixture f;
        for (std::size_t i = 0; i < ForeignCalls::most_for_account; ++i) {
            f.calls.start(1, hanging.call(), [&heard] { heard = true; });
        }
        f.calls.start(1, [begun] { *begun = true; }, [&heard] { heard = true; });
    }
    hanging.release();
    CHECK_FALSE(*begun);
    CHECK_FALSE(heard);
}
