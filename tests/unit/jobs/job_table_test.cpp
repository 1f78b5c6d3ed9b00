#include "daemon/async/task_group.hpp"
#include "daemon/jobs/job_table.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/unit/jobs/job_scene.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <optional>
#include <string>

using namespace std::chrono_literals;
using namespace wharf::jobs;
using namespace wharf::jobs::test;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::hub::Token;
using wharf::test::TempDir;

namespace {

constexpr Viewer owner{.uid = 1000};
constexpr Viewer admin{.uid = 0, .administers = true};
constexpr auto newest = std::numeric_limits<std::uint64_t>::max();

/// The kind of Error that a call throws; none if it does not.
template <typename T>
Awaitable<std::optional<ErrorKind>> kind_of(Awaitable<T> call) {
    try {
        co_await std::move(call);
    } catch (const Error& error) {
        co_return error.kind();
    }
    co_return std::nullopt;
}

Awaitable<> attached() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    auto watch = scene.table.ask(order("a"), Priority::normal);
    auto second = scene.table.ask(order("a"), Priority::interactive);
    CHECK(&watch->job() == &second->job());
    CHECK(watch->job().info().priority == Priority::interactive); // the more urgent counts
    CHECK(scene.table.ask(order("a", "", 1001), Priority::normal)->job().info().id == 2);
    co_await settle(&scene);
    CHECK(watch->job().state() == JobState::running);
    CHECK(watch->job().info().watchers == 2);
    CHECK(scene.script.running == 1); // the one of the other account has been left
    // The last one to leave pauses it, and asking again goes on under the same number.
    watch.reset();
    co_await settle(&scene);
    CHECK(second->job().state() == JobState::running);
    second.reset();
    JobInfo info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::paused);
    co_await settle(&scene);
    CHECK(scene.script.running == 0);
    watch = scene.table.ask(order("a"), Priority::normal);
    CHECK(watch->job().info().id == 1);
    scene.finish("a");
    co_await watch->job().ended();
    co_await settle(&scene);
    info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::done);
    CHECK(info.finished);
    CHECK(info.counts.bytes_total == 4);
    // What is done is done: asking again is a new job.
    watch = scene.table.ask(order("a"), Priority::normal);
    CHECK(watch->job().info().id == 3);
    watch.reset();
    co_await scene.table.stop();
}

Awaitable<> leaves_and_comes_back_at_once() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    auto watch = scene.table.ask(order("a"), Priority::normal);
    co_await settle(&scene);
    watch.reset();                                         // its task has not ended yet …
    watch = scene.table.ask(order("a"), Priority::normal); // … when it is wanted again
    co_await settle(&scene);
    CHECK(watch->job().state() == JobState::running);
    CHECK(scene.script.runs["a"] == 2);
    scene.finish("a");
    co_await watch->job().ended();
    co_await scene.table.stop();
}

Awaitable<> attached_jobs_fail() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    scene.script.errors["a"] = {Error{ErrorKind::network, "the Hub is away", "wait"}};
    const auto watch = scene.table.ask(order("a"), Priority::normal);
    const auto kind = co_await kind_of(watch->job().ended());
    CHECK(kind == ErrorKind::network);
    co_await settle(&scene);
    const JobInfo info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::failed);
    REQUIRE(info.failure);
    CHECK(info.failure->hint() == "wait");
    co_await scene.table.stop();
}

Awaitable<> detached_jobs_wait() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    scene.script.errors["a"] = {Error{ErrorKind::network, "the Hub is away"},
                                Error{ErrorKind::no_space, "the disk is full"}};
    JobInfo info = co_await scene.table.detach(order("a"), Priority::background);
    co_await settle(&scene);
    info = co_await scene.table.show(info.id, owner);
    CHECK(info.state == JobState::waiting);
    CHECK(info.reason == "the Hub is away");
    REQUIRE(info.waiting_until);
    CHECK(*info.waiting_until > WallClock::now() + 3s);
    CHECK(*info.waiting_until < WallClock::now() + 7s);
    // Resume does not wait for the time to come.
    info = co_await scene.table.resume(info.id, owner, {});
    co_await settle(&scene);
    info = co_await scene.table.show(info.id, owner);
    CHECK(info.reason == "the disk is full");
    // Somebody who asks for the same wants it now, too.
    const auto watch = scene.table.ask(order("a"), Priority::normal);
    CHECK(watch->job().info().id == info.id);
    co_await settle(&scene);
    info = co_await scene.table.show(info.id, owner);
    CHECK(info.state == JobState::running);
    CHECK(info.reason.empty());
    CHECK_FALSE(info.waiting_until);
    CHECK(info.priority == Priority::normal);
    CHECK(scene.script.runs["a"] == 3);
    scene.finish("a");
    co_await watch->job().ended();
    co_await scene.table.stop();
}

Awaitable<> what_will_not_heal_fails_at_once() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    scene.script.errors["a"] = {Error{ErrorKind::gated, "ask for access"}};
    // What fails right away is told to whoever asked.
    const auto refused =
        co_await kind_of(scene.table.detach(order("a", "hf_secret"), Priority::normal));
    CHECK(refused == ErrorKind::gated);
    JobInfo info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::failed);
    // With access granted meanwhile, the same job goes well, with the token it came with.
    scene.finish("a");
    info = co_await scene.table.retry(info.id, owner, {});
    CHECK(info.id == 1);
    CHECK_FALSE(info.failure);
    co_await settle(&scene);
    CHECK(scene.script.tokens["a"] == Token{"hf_secret"});
    info = co_await scene.table.show(info.id, owner);
    CHECK(info.state == JobState::done);
    const auto done = co_await kind_of(scene.table.retry(info.id, owner, {}));
    CHECK(done == ErrorKind::invalid_request);
    // Done: the token is kept no more.
    const auto record = co_await scene.store.find(1);
    CHECK(record->sealed_token.empty());
    co_await scene.table.stop();
}

Awaitable<> trouble_has_an_end() {
    const TempDir dir;
    {
        const auto rows = open_job_rows(dir / "jobs.db");
        for (std::uint64_t id : {1UL, 2UL}) {
            JobRecord record;
            record.id = id;
            record.order = order(id == 1 ? "hopeless" : "slow");
            record.detached = true;
            record.state = JobState::waiting;
            record.troubled_since = WallClock::now() - longest_trouble - 1h;
            const JobRows::Change change{record, true};
            rows->save({&change, 1}, Durability::process);
        }
    }
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    scene.script.errors["hopeless"] = {Error{ErrorKind::network, "the Hub is away"}};
    scene.script.errors["slow"] = {Error{ErrorKind::network, "the Hub is away"}};
    scene.script.gained["slow"] = 1; // a byte since then, and all is forgiven
    co_await settle(&scene);
    JobInfo info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::failed);
    REQUIRE(info.failure);
    CHECK(info.failure->message() == "given up after 7 days: the Hub is away");
    info = co_await scene.table.show(2, owner);
    CHECK(info.state == JobState::waiting);
    co_await scene.table.stop();
}

Awaitable<> held_jobs() {
    const TempDir dir;
    {
        Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
        const auto watch = scene.table.ask(order("a"), Priority::normal);
        co_await settle(&scene);
        JobInfo info = co_await scene.table.pause(1, owner);
        CHECK(info.state == JobState::paused);
        CHECK(info.reason.find("paused by its owner") != std::string::npos);
        co_await settle(&scene);
        CHECK(scene.script.running == 0);
        // Asking again does not undo what somebody said.
        CHECK(scene.table.ask(order("a"), Priority::normal)->job().state() == JobState::paused);
        info = co_await scene.table.pause(1, admin);
        CHECK(info.reason.find("paused by uid 0") != std::string::npos);
        co_await scene.table.stop();
    }
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    co_await settle(&scene);
    JobInfo info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::paused);
    CHECK(info.reason.find("uid 0") != std::string::npos);
    info = co_await scene.table.resume(1, owner, Token{"hf_new"});
    CHECK(info.detached);
    co_await settle(&scene);
    CHECK(scene.script.running == 1);
    CHECK(scene.script.tokens["a"] == Token{"hf_new"});
    co_await scene.table.stop();
}

Awaitable<> restarts() {
    const TempDir dir;
    const auto executor = co_await wharf::asio::this_coro::executor;
    {
        Scene scene{executor, dir.path()};
        const auto watch = scene.table.ask(order("attached", "hf_1"), Priority::normal);
        co_await scene.table.detach(order("detached", "hf_2"), Priority::background);
        co_await settle(&scene);
        co_await scene.table.stop();
    }
    {
        Scene scene{executor, dir.path()};
        co_await settle(&scene);
        JobInfo attached = co_await scene.table.show(1, owner);
        CHECK(attached.state == JobState::paused);
        JobInfo detached = co_await scene.table.show(2, owner);
        CHECK(detached.state == JobState::running);
        CHECK(detached.priority == Priority::background);
        CHECK(scene.script.tokens["detached"] == Token{"hf_2"});
        // The same request again goes on with it, with its own token.
        const auto watch = scene.table.ask(order("attached", "hf_3"), Priority::normal);
        CHECK(watch->job().info().id == 1);
        co_await settle(&scene);
        CHECK(scene.script.tokens["attached"] == Token{"hf_3"});
        // But nobody joins work that is done with another's token.
        CHECK(scene.table.ask(order("detached", "hf_4"), Priority::normal)->job().info().id == 3);
        scene.finish("detached");
        co_await settle(&scene);
        co_await scene.table.stop();
    }
    Scene scene{executor, dir.path(), {}, 2}; // another key, and nothing that needs it
    co_await settle(&scene);
    const JobInfo done = co_await scene.table.show(2, owner);
    CHECK(done.state == JobState::done);
    CHECK(scene.table.ask(order("new"), Priority::normal)->job().info().id == 4);
    co_await scene.table.stop();
}

Awaitable<> another_key() {
    const TempDir dir;
    const auto executor = co_await wharf::asio::this_coro::executor;
    {
        Scene scene{executor, dir.path()};
        co_await scene.table.detach(order("a", "hf_1"), Priority::normal);
        co_await scene.table.stop();
    }
    Scene scene{executor, dir.path(), {}, 2};
    co_await settle(&scene);
    JobInfo info = co_await scene.table.show(1, owner);
    CHECK(info.state == JobState::failed);
    REQUIRE(info.failure);
    CHECK(info.failure->hint().find("ask for the files again") != std::string::npos);
    // Retry needs a token, and takes it from the owner only.
    auto kind = co_await kind_of(scene.table.retry(1, owner, {}));
    CHECK(kind == ErrorKind::storage);
    kind = co_await kind_of(scene.table.retry(1, admin, Token{"hf_root"}));
    CHECK(kind == ErrorKind::storage);
    info = co_await scene.table.retry(1, owner, Token{"hf_2"});
    co_await settle(&scene);
    CHECK(scene.script.tokens["a"] == Token{"hf_2"});
    co_await scene.table.stop();
}

/// A job whose token was not kept goes on with the one that its own account has stored; one that
/// has a token keeps it.
Awaitable<> stored_tokens() {
    const TempDir dir;
    const auto executor = co_await wharf::asio::this_coro::executor;
    {
        Scene scene{executor, dir.path()};
        const auto watch = scene.table.ask(order("attached", "hf_1"), Priority::normal);
        co_await scene.table.detach(order("detached", "hf_2"), Priority::normal);
        co_await settle(&scene);
        co_await scene.table.pause(2, owner);
        co_await scene.table.stop();
    }
    Scene scene{executor, dir.path()};
    scene.stored[1000] = Token{"hf_stored"};
    scene.stored[0] = Token{"hf_root"};
    co_await scene.table.resume(1, admin, {});
    co_await scene.table.resume(2, owner, {});
    co_await settle(&scene);
    CHECK(scene.script.tokens["attached"] == Token{"hf_stored"});
    CHECK(scene.script.tokens["detached"] == Token{"hf_2"});
    co_await scene.table.cancel(1, owner);
    co_await settle(&scene);
    co_await scene.table.retry(1, owner, {});
    co_await settle(&scene);
    CHECK(scene.script.tokens["attached"] == Token{"hf_stored"});
    co_await scene.table.stop();
}

Awaitable<> cancelled_jobs() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    const auto watch = scene.table.ask(order("a"), Priority::normal);
    co_await settle(&scene);
    JobInfo info = co_await scene.table.cancel(1, owner);
    CHECK(info.state == JobState::cancelled);
    auto kind = co_await kind_of(watch->job().ended());
    CHECK(kind == ErrorKind::cancelled);
    // At once again, while its work still winds up.
    info = co_await scene.table.retry(1, owner, {});
    CHECK(info.id == 1);
    CHECK(info.detached);
    co_await settle(&scene);
    CHECK(scene.script.runs["a"] == 2);
    CHECK(scene.script.running == 1);
    scene.finish("a");
    co_await settle(&scene);
    info = co_await scene.table.cancel(1, owner); // too late
    CHECK(info.state == JobState::done);
    for (auto call : {&JobTable::pause, &JobTable::show}) {
        kind = co_await kind_of((scene.table.*call)(77, owner));
        CHECK(kind == ErrorKind::job_not_found);
    }
    kind = co_await kind_of(scene.table.pause(1, owner));
    CHECK(kind == ErrorKind::invalid_request);
    co_await scene.table.stop();
}

Awaitable<> privacy() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    const auto a = scene.table.ask(order("a", "", 1000), Priority::normal);
    const auto b = scene.table.ask(order("b", "", 1001), Priority::normal);
    const auto c = scene.table.ask(order("c", "", 1000), Priority::normal);
    co_await settle(&scene);
    auto kind = co_await kind_of(scene.table.show(2, owner));
    CHECK(kind == ErrorKind::job_not_found); // as if it did not exist
    kind = co_await kind_of(scene.table.cancel(2, owner));
    CHECK(kind == ErrorKind::job_not_found);
    kind = co_await kind_of(scene.table.prioritize(2, owner, Priority::interactive));
    CHECK(kind == ErrorKind::job_not_found);
    std::vector<JobInfo> page = co_await scene.table.page(1000, false, newest, 10);
    REQUIRE(page.size() == 2);
    CHECK(page[0].id == 3);
    CHECK(page[1].id == 1);
    page = co_await scene.table.page(std::nullopt, false, newest, 2);
    REQUIRE(page.size() == 2);
    CHECK(page[1].id == 2);
    scene.finish("b");
    co_await settle(&scene);
    kind = co_await kind_of(scene.table.show(2, owner)); // past ones likewise
    CHECK(kind == ErrorKind::job_not_found);
    page = co_await scene.table.page(std::nullopt, false, newest, 10);
    CHECK(page.size() == 2);
    page = co_await scene.table.page(std::nullopt, true, newest, 10);
    CHECK(page.size() == 3);
    page = co_await scene.table.page(1000, true, newest, 10);
    CHECK(page.size() == 2);
    co_await scene.table.stop();
}

Awaitable<> administrators() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path()};
    const auto watch = scene.table.ask(order("org/a"), Priority::normal);
    co_await settle(&scene);
    // Being root is nothing by itself: the policy says who administers.
    const auto kind = co_await kind_of(scene.table.pause(1, Viewer{.uid = 0}));
    CHECK(kind == ErrorKind::job_not_found);
    CHECK(scene.table.find_live(1, admin) != nullptr);
    co_await scene.table.show(1, admin); // looking is not noted down
    co_await scene.table.pause(1, owner);
    co_await scene.table.resume(1, owner, {});
    CHECK(scene.audit.events.empty());
    co_await scene.table.prioritize(1, admin, Priority::background);
    co_await scene.table.pause(1, admin);
    co_await scene.table.resume(1, admin, {});
    co_await scene.table.cancel(1, admin);
    co_await scene.table.cancel(1, admin); // nothing is left to do
    co_await scene.table.retry(1, admin, {});
    REQUIRE(scene.audit.events.size() == 5);
    const auto& event = scene.audit.events[0];
    CHECK(event.action == wharf::access::AuditEvent::Action::admin);
    CHECK(event.uid == 0);
    CHECK(event.repo == "model org/a");
    CHECK(event.detail == "made background job 1 of uid 1000");
    CHECK(event.result == "ok");
    CHECK(scene.audit.events[1].detail == "paused job 1 of uid 1000");
    CHECK(scene.audit.events[2].detail == "resumed job 1 of uid 1000");
    CHECK(scene.audit.events[3].detail == "cancelled job 1 of uid 1000");
    CHECK(scene.audit.events[4].detail == "retried job 1 of uid 1000");
    co_await scene.table.stop();
}

Awaitable<> queue_and_priorities() {
    const TempDir dir;
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path(), {.max_running = 1}};
    co_await scene.table.detach(order("a"), Priority::normal);
    co_await settle(&scene);
    co_await scene.table.detach(order("b"), Priority::background);
    co_await scene.table.detach(order("c"), Priority::background);
    co_await settle(&scene);
    JobInfo info = co_await scene.table.show(3, owner);
    CHECK(info.state == JobState::queued);
    CHECK_FALSE(info.reason.empty());
    info = co_await scene.table.prioritize(3, owner, Priority::interactive);
    co_await settle(&scene);
    info = co_await scene.table.show(3, owner);
    CHECK(info.state == JobState::running);
    info = co_await scene.table.prioritize(1, owner, Priority::background); // while it runs
    CHECK(scene.script.priorities["a"] == Priority::background);
    scene.finish("a");
    scene.finish("c");
    co_await settle(&scene);
    info = co_await scene.table.show(2, owner);
    CHECK(info.state == JobState::running);
    co_await scene.table.stop();
}

Awaitable<> many_past_jobs() {
    const TempDir dir;
    {
        const auto rows = open_job_rows(dir / "jobs.db");
        std::vector<JobRows::Change> changes;
        for (std::uint64_t id = 1; id <= 10'000; ++id) {
            JobRecord record;
            record.id = id;
            record.order = order("past");
            record.state = JobState::done;
            record.finished = WallClock::now() - 10min;
            changes.push_back({record, true});
        }
        rows->save(changes, Durability::process);
    }
    Scene scene{co_await wharf::asio::this_coro::executor, dir.path(), {.history_count = 9'000}};
    co_await settle(&scene);
    std::uint64_t before = newest;
    std::size_t seen = 0;
    for (;;) {
        const std::vector<JobInfo> page = co_await scene.table.page(owner.uid, true, before, 200);
        seen += page.size();
        if (page.size() < 200) {
            break;
        }
        before = page.back().id;
    }
    CHECK(seen == 9'000); // trimmed at the start
    const JobInfo old = co_await scene.table.show(1'001, owner);
    CHECK(old.state == JobState::done);
    const auto kind = co_await kind_of(scene.table.show(1'000, owner));
    CHECK(kind == ErrorKind::job_not_found);
    co_await scene.table.stop();
}

} // namespace

TEST_CASE("a job runs while somebody waits for it") {
    wharf::test::run(attached());
    wharf::test::run(leaves_and_comes_back_at_once());
    wharf::test::run(attached_jobs_fail());
}

TEST_CASE("a detached job waits after errors that heal, and fails after others") {
    wharf::test::run(detached_jobs_wait());
    wharf::test::run(what_will_not_heal_fails_at_once());
    wharf::test::run(trouble_has_an_end());
}

TEST_CASE("a job that somebody paused stays so until it is resumed") {
    wharf::test::run(held_jobs());
}

TEST_CASE("after a restart detached jobs go on, and others when they are asked for") {
    wharf::test::run(restarts());
    wharf::test::run(another_key());
}

TEST_CASE("a job without a token of its own takes its account's stored one") {
    wharf::test::run(stored_tokens());
}

TEST_CASE("jobs are cancelled and retried") {
    wharf::test::run(cancelled_jobs());
}

TEST_CASE("people see and change their own jobs only") {
    wharf::test::run(privacy());
}

TEST_CASE("administrators change everybody's jobs, and that is noted down") {
    wharf::test::run(administrators());
}

TEST_CASE("jobs take turns, and a changed priority counts at once") {
    wharf::test::run(queue_and_priorities());
}

TEST_CASE("ten thousand past jobs are read from the disk in pages") {
    wharf::test::run(many_past_jobs(), std::chrono::seconds{30});
}
