#include "daemon/jobs/job_table.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/unit/jobs/job_scene.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <string>

using namespace wharf::jobs;
using namespace wharf::jobs::test;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::test::TempDir;
using Watched = std::unique_ptr<Watch>;

namespace {

constexpr Viewer owner{.uid = 1000};

struct Push {
    std::string revision = "main";
    uid_t uid = 1000;
    bool create_pr = false;
    bool attached = false;
};

/// Scripts find work by the repo's name, and pushes to one branch have the same: they end together.
Order push_order(std::uint64_t upload, Push push = {}) {
    Order made = order("org/model", "hf_token", push.uid);
    made.revision = push.revision;
    made.commit.clear();
    made.what = CommitOrder{.upload = upload,
                            .summary = "title",
                            .description = {},
                            .parent = {},
                            .create_pr = push.create_pr,
                            .create = false,
                            .is_private = false,
                            .attached = push.attached,
                            .outcome = {}};
    return made;
}

Awaitable<Watched> begin(Scene* scene, std::uint64_t upload, Push push = {}) {
    Watched watch = co_await scene->table.push(push_order(upload, push), Priority::normal);
    co_await settle(scene);
    co_return watch;
}

Awaitable<> one_after_the_other() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    const Watched first = co_await begin(&scene, 1);
    CHECK(first->job().state() == JobState::running);
    CHECK(first->job().record().detached);
    const Watched second = co_await begin(&scene, 2);
    const Watched third = co_await begin(&scene, 3);
    CHECK(second->job().state() == JobState::queued);
    CHECK(third->job().state() == JobState::queued);
    CHECK(second->job().info().reason == "job 1 pushes to the same branch and is before it");
    // The others have nothing to wait for.
    const Watched branch = co_await begin(&scene, 4, {.revision = "other"});
    const Watched account = co_await begin(&scene, 5, {.uid = 1001});
    const Watched request = co_await begin(&scene, 6, {.create_pr = true});
    CHECK(branch->job().state() == JobState::running);
    CHECK(account->job().state() == JobState::running);
    CHECK(request->job().state() == JobState::running);
    // One that somebody paused lets those behind it pass, one at a time.
    co_await scene.table.pause(1, owner);
    co_await settle(&scene);
    CHECK(second->job().state() == JobState::running);
    CHECK(third->job().state() == JobState::queued);
    co_await scene.table.cancel(2, owner);
    co_await settle(&scene);
    CHECK(third->job().state() == JobState::running);
    scene.finish("org/model");
    co_await third->job().ended();
    co_await scene.table.stop();
}

Awaitable<> waits_for_one_that_waits() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    scene.script.errors["org/model"] = {Error{ErrorKind::network, "the Hub is away"}};
    const Watched first = co_await begin(&scene, 1);
    CHECK(first->job().state() == JobState::waiting);
    const Watched second = co_await begin(&scene, 2);
    CHECK(second->job().state() == JobState::queued);
    co_await scene.table.cancel(1, owner);
    co_await settle(&scene);
    CHECK(second->job().state() == JobState::running);
    co_await scene.table.stop();
}

Awaitable<> attached_ends_with_its_watcher() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    Watched watch = co_await begin(&scene, 1, {.attached = true});
    CHECK(watch->job().state() == JobState::running);
    CHECK_FALSE(watch->job().record().detached);
    watch.reset();
    co_await settle(&scene);
    CHECK(scene.script.running == 0);
    CHECK(scene.over == std::vector<std::uint64_t>{1});
    const JobInfo info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::cancelled);
    // A staged one goes on.
    watch = co_await begin(&scene, 2);
    watch.reset();
    co_await settle(&scene);
    CHECK(scene.script.running == 1);
    co_await scene.table.stop();
}

Awaitable<std::optional<ErrorKind>> refusal_to_retry(Scene* scene, std::uint64_t id) {
    try {
        co_await scene->table.retry(id, owner, {});
    } catch (const Error& error) {
        co_return error.kind();
    }
    co_return std::nullopt;
}

Awaitable<> failed_ones_keep_what_a_retry_needs() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    const Error refused{ErrorKind::forbidden, "no"};
    scene.script.errors["org/model"] = {refused, refused, refused};
    co_await begin(&scene, 1);
    JobInfo info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::failed);
    std::vector<std::uint64_t> kept = co_await scene.store.uploads();
    CHECK(kept == std::vector<std::uint64_t>{1});
    std::optional<ErrorKind> why = co_await refusal_to_retry(&scene, 1);
    CHECK_FALSE(why);
    co_await settle(&scene);
    CHECK(scene.script.runs["org/model"] == 2);
    CHECK(scene.script.tokens["org/model"] == wharf::hub::Token{"hf_token"});
    // To cancel it gives up what was kept; then there is nothing to retry.
    info = co_await scene.table.cancel(1, owner);
    CHECK(info.state == JobState::cancelled);
    kept = co_await scene.store.uploads();
    CHECK(kept.empty());
    const std::optional<JobRecord> record = co_await scene.store.find(1);
    CHECK(record->sealed_token.empty());
    why = co_await refusal_to_retry(&scene, 1);
    CHECK(why == ErrorKind::invalid_request);
    // Nor when it was its caller's files.
    const Watched attached = co_await begin(&scene, 2, {.attached = true});
    CHECK(attached->job().state() == JobState::failed);
    why = co_await refusal_to_retry(&scene, 2);
    CHECK(why == ErrorKind::invalid_request);
    co_await scene.table.stop();
}

Awaitable<> restarts() {
    const TempDir dir;
    const auto executor = co_await wharf::asio::this_coro::executor;
    {
        Scene scene{executor, dir.path()};
        const Watched staged = co_await begin(&scene, 1);
        const Watched attached = co_await begin(&scene, 2, {.uid = 1001, .attached = true});
        CHECK(scene.script.running == 2);
        co_await scene.table.stop();
    }
    Scene scene{executor, dir.path()};
    co_await settle(&scene);
    CHECK(scene.script.running == 1);
    CHECK(scene.over == std::vector<std::uint64_t>{2}); // its files went with who had them
    const auto staged = scene.table.find_live(1, owner);
    REQUIRE(staged);
    CHECK(staged->record().order.push() == push_order(1).push());
    CHECK(staged->record().order.token == wharf::hub::Token{"hf_token"});
    scene.finish("org/model");
    co_await settle(&scene);
    CHECK(scene.over == std::vector<std::uint64_t>{2, 1});
    co_await scene.table.stop();
}

} // namespace

TEST_CASE("pushes of an account to a branch go one after the other") {
    wharf::test::run(one_after_the_other());
    wharf::test::run(waits_for_one_that_waits());
}

TEST_CASE("an attached push ends with whoever waits for it, a staged one goes on") {
    wharf::test::run(attached_ends_with_its_watcher());
}

TEST_CASE("a push that failed can be retried until it is cancelled") {
    wharf::test::run(failed_ones_keep_what_a_retry_needs());
}

TEST_CASE("after a restart staged pushes go on, and attached ones are over") {
    wharf::test::run(restarts());
}
