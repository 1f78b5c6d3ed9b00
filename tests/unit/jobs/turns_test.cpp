#include "daemon/async/task_group.hpp"
#include "daemon/jobs/turns.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <doctest/doctest.h>

#include <deque>
#include <string>

namespace asio = boost::asio;
using wharf::Awaitable;
using wharf::async::Event;
using wharf::async::TaskGroup;
using wharf::jobs::Turns;
using wharf::scheduling::Claimant;
using wharf::scheduling::Priority;

namespace {

/// Claimants that run until they are told to end, and the order in which they got their turn.
struct Scene {
    struct Runner {
        std::string name;
        Claimant claimant;
        bool running = false;
        bool end = false;
    };

    explicit Scene(wharf::Executor executor, std::size_t limit, Turns::AccountLimit of = {})
        : turns{limit, std::move(of)}, group{std::move(executor)} {}

    Awaitable<> run(Runner* runner) {
        const Turns::Turn turn = co_await turns.take(runner->claimant);
        runner->running = true;
        order += runner->name;
        while (!runner->end) {
            co_await changed.wait();
        }
        runner->running = false;
    }

    Runner& add(std::string name, uid_t uid, Priority priority = Priority::normal) {
        auto& runner = runners.emplace_back(Runner{std::move(name), {uid, priority}});
        group.spawn("runner", run(&runner));
        return runner;
    }

    void finish(Runner& runner) {
        runner.end = true;
        changed.notify_all();
    }

    Turns turns;
    Event changed;
    std::deque<Runner> runners;
    std::string order;
    TaskGroup group;
};

/// Until all that can happen now has happened.
Awaitable<> settle() {
    for (int i = 0; i < 20; ++i) {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
}

Awaitable<> end_all(Scene& scene) {
    scene.group.cancel();
    co_await scene.group.join();
}

Awaitable<> one_account_after_the_other() {
    Scene scene{co_await asio::this_coro::executor, 1};
    auto& a1 = scene.add("a", 1);
    co_await settle();
    auto& a2 = scene.add("A", 1);
    auto& a3 = scene.add("x", 1);
    auto& b1 = scene.add("b", 2);
    auto& c1 = scene.add("c", 3);
    for (auto* runner : {&a1, &b1, &c1, &a2, &a3}) {
        co_await settle();
        CHECK(runner->running);
        scene.finish(*runner);
    }
    co_await settle();
    CHECK(scene.order == "abcAx"); // the account that was served longest ago is next
    co_await end_all(scene);
}

Awaitable<> fewest_running_first() {
    Scene scene{co_await asio::this_coro::executor, 3};
    scene.add("a", 1);
    scene.add("a", 1);
    auto& b1 = scene.add("b", 2);
    co_await settle();
    scene.add("A", 1);
    scene.add("B", 2);
    co_await settle();
    scene.finish(b1);
    co_await settle();
    CHECK(scene.order == "aabB"); // account 1 has two already
    co_await end_all(scene);
}

Awaitable<> urgent_ones_do_not_wait_for_others() {
    Scene scene{co_await asio::this_coro::executor, 2};
    auto& b1 = scene.add("b", 1, Priority::background);
    auto& b2 = scene.add("b", 1, Priority::background);
    co_await settle();
    scene.add("c", 1, Priority::background);
    auto& i1 = scene.add("i", 1, Priority::interactive);
    scene.add("n", 1, Priority::normal);
    co_await settle();
    CHECK(scene.order == "bbin"); // two of the same or a more urgent class, whatever else runs
    scene.add("N", 1, Priority::normal);
    co_await settle();
    CHECK(scene.order == "bbin");
    scene.finish(i1);
    co_await settle();
    CHECK(scene.order == "bbinN");
    scene.finish(b1);
    scene.finish(b2);
    co_await settle();
    CHECK(scene.order == "bbinN"); // two normal ones still run: background waits
    co_await end_all(scene);
}

Awaitable<> priorities_and_limits_change() {
    Scene scene{co_await asio::this_coro::executor, 1};
    auto& first = scene.add("1", 1);
    co_await settle();
    scene.add("2", 1);
    auto& third = scene.add("3", 1, Priority::background);
    auto& gone = scene.add("4", 1, Priority::interactive);
    co_await settle();
    CHECK(gone.running); // its class has a place of its own
    scene.finish(gone);
    third.claimant.priority = Priority::interactive;
    scene.turns.reconsider();
    co_await settle();
    CHECK(scene.order == "143");
    scene.turns.set_limit(3);
    co_await settle();
    CHECK(scene.order == "1432");
    scene.finish(first);
    co_await end_all(scene);
}

Awaitable<> accounts_have_limits() {
    std::size_t limit = 2;
    Scene scene{co_await asio::this_coro::executor, 10,
                [&limit](uid_t uid) { return uid == 1 ? std::optional{limit} : std::nullopt; }};
    CHECK_FALSE(scene.turns.exhausted_by(1).has_value());
    auto& first = scene.add("a", 1);
    scene.add("a", 1, Priority::background);
    scene.add("x", 1, Priority::interactive);
    scene.add("b", 2);
    scene.add("b", 2);
    scene.add("b", 2);
    co_await settle();
    CHECK(scene.order == "aabbb"); // the third of account 1 waits, however urgent
    CHECK(scene.turns.exhausted_by(1) == 2);
    CHECK_FALSE(scene.turns.exhausted_by(2).has_value());
    scene.finish(first);
    co_await settle();
    CHECK(scene.order == "aabbbx");
    scene.add("c", 1);
    co_await settle();
    CHECK(scene.order == "aabbbx");
    limit = 3;
    scene.turns.reconsider();
    co_await settle();
    CHECK(scene.order == "aabbbxc");
    co_await end_all(scene);
}

Awaitable<> cancelled_waiters_leave_no_trace() {
    const auto executor = co_await asio::this_coro::executor;
    Scene scene{executor, 1};
    auto& first = scene.add("1", 1);
    co_await settle();
    {
        Scene::Runner leaver{"x", {2, Priority::normal}};
        TaskGroup leaving{executor};
        leaving.spawn("leaver", scene.run(&leaver));
        co_await settle();
        // Granted and cancelled in the same moment: the place must not get lost.
        scene.finish(first);
        leaving.cancel();
        co_await leaving.join();
    }
    scene.add("2", 1);
    co_await settle();
    CHECK(scene.order.ends_with("2"));
    co_await end_all(scene);
}

} // namespace

TEST_CASE("accounts take turns whoever came first with how many") {
    wharf::test::run(one_account_after_the_other());
    wharf::test::run(fewest_running_first());
}

TEST_CASE("a class is not held up by less urgent ones") {
    wharf::test::run(urgent_ones_do_not_wait_for_others());
}

TEST_CASE("changes of priority and limit take effect at once") {
    wharf::test::run(priorities_and_limits_change());
}

TEST_CASE("an account has no more running than it may, and holds up nobody else") {
    wharf::test::run(accounts_have_limits());
}

TEST_CASE("whoever is cancelled while waiting keeps no place") {
    wharf::test::run(cancelled_waiters_leave_no_trace());
}
