#include "daemon/jobs/job_table.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/unit/jobs/job_scene.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace wharf::jobs;
using namespace wharf::jobs::test;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::test::TempDir;

namespace {

constexpr Viewer viewer{.uid = 1000};

/// What asking for a repo is refused with; "" when it is not.
std::string refusal(Scene& scene, const std::string& repo) {
    try {
        static_cast<void>(scene.table.ask(order(repo), Priority::normal));
        return {};
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::quota);
        return error.message();
    }
}

Awaitable<> running_and_queued() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    scene.limits = {.bytes = {}, .running_jobs = 2, .queued_jobs = 1};
    // All at once: those that may run are not taken for queued.
    const auto a = scene.table.ask(order("a"), Priority::normal);
    const auto b = scene.table.ask(order("b"), Priority::normal);
    auto c = scene.table.ask(order("c"), Priority::normal);
    co_await settle(&scene);
    CHECK(scene.script.running == 2);
    CHECK(c->job().info().state == JobState::queued);
    CHECK(c->job().info().reason == "as many jobs of this account run as it may have (2)");
    CHECK(refusal(scene, "d") ==
          "this account has 2 running and 1 waiting jobs, and may have 1 waiting");
    CHECK(refusal(scene, "b").empty()); // joins
    const auto counts = scene.table.counts_of(1000);
    CHECK(counts.running == 2);
    CHECK(counts.queued == 1);
    CHECK(scene.table.counts_of(1001).running == 0);
    CHECK(scene.table.accounts() == std::set<uid_t>{1000});
    // What is paused takes no place, but needs one to go on.
    c.reset();
    const auto d = scene.table.ask(order("d"), Priority::normal);
    CHECK(refusal(scene, "c") ==
          "this account has 2 running and 1 waiting jobs, and may have 1 waiting");
    scene.finish("a");
    co_await settle(&scene);
    CHECK(d->job().state() == JobState::running);
    CHECK(refusal(scene, "c").empty());
    co_await scene.table.stop();
}

Awaitable<> without_a_number_of_running() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path(), {.max_running = 1}};
    scene.limits = {.bytes = {}, .running_jobs = {}, .queued_jobs = 1};
    const auto a = scene.table.ask(order("a"), Priority::normal);
    co_await settle(&scene);
    const auto b = scene.table.ask(order("b"), Priority::normal);
    CHECK(b->job().info().reason == "other jobs are before it");
    CHECK(refusal(scene, "c") ==
          "this account has 1 running and 1 waiting jobs, and may have 1 waiting");
    co_await scene.table.stop();
}

Awaitable<> limits_change() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    scene.limits.running_jobs = 1;
    const auto a = scene.table.ask(order("a"), Priority::normal);
    const auto b = scene.table.ask(order("b"), Priority::normal);
    co_await settle(&scene);
    CHECK(scene.script.running == 1);
    scene.limits.running_jobs = 2;
    scene.table.limits_changed();
    co_await settle(&scene);
    CHECK(scene.script.running == 2);
    co_await scene.table.stop();
}

/// Over its quota a detached job does not wait: no time brings room.
Awaitable<> over_quota() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    scene.script.errors["a"] = {Error{ErrorKind::quota, "your quota is 5 GB"}};
    std::string message;
    try {
        static_cast<void>(co_await scene.table.detach(order("a"), Priority::normal));
    } catch (const Error& error) {
        message = error.message();
    }
    CHECK(message == "your quota is 5 GB");
    const JobInfo info = co_await scene.table.show(1, viewer);
    CHECK(info.state == JobState::failed);
    co_await scene.table.stop();
}

Order with_a_long_list(const std::string& repo, uid_t uid = 1000) {
    Order asked = order(repo, {}, uid);
    asked.download().filter.files.assign(3, std::string(std::size_t{1} << 20, 'n'));
    return asked;
}

/// Whether asking for it is refused for the length of what the account has asked for.
bool is_too_long(Scene& scene, const Order& asked) {
    try {
        static_cast<void>(scene.table.ask(asked, Priority::normal));
        return false;
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::invalid_request);
        CHECK(error.message().find("very long lists") != std::string::npos);
        return true;
    }
}

Awaitable<> long_lists() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    std::vector<std::unique_ptr<Watch>> watched;
    for (const char* repo : {"a", "b", "c", "d", "e"}) { // 15 MiB
        watched.push_back(scene.table.ask(with_a_long_list(repo), Priority::normal));
    }
    co_await settle(&scene);
    CHECK(is_too_long(scene, with_a_long_list("f")));
    CHECK_FALSE(is_too_long(scene, with_a_long_list("a"))); // joins
    CHECK_FALSE(is_too_long(scene, order("f")));
    CHECK_FALSE(is_too_long(scene, with_a_long_list("f", 1001))); // another's share is his own
    co_await scene.table.cancel(watched.front()->job().record().id, viewer);
    co_await settle(&scene);
    CHECK_FALSE(is_too_long(scene, with_a_long_list("g")));
    const auto g = scene.table.ask(with_a_long_list("g"), Priority::normal);
    std::string message;
    try { // what was cancelled does not come back above it
        static_cast<void>(
            co_await scene.table.retry(watched.front()->job().record().id, viewer, {}));
    } catch (const Error& error) {
        message = error.message();
    }
    CHECK(message.find("very long lists") != std::string::npos);
    co_await scene.table.stop();
}

} // namespace

TEST_CASE("what an account asks for takes only so much memory") {
    wharf::test::run(long_lists());
}

TEST_CASE("an account has only so many jobs running and waiting") {
    wharf::test::run(running_and_queued());
    wharf::test::run(without_a_number_of_running());
}

TEST_CASE("new limits hold at once") {
    wharf::test::run(limits_change());
}

TEST_CASE("who is over his quota is told so") {
    wharf::test::run(over_quota());
}
