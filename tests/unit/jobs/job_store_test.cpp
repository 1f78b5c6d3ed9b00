#include "daemon/jobs/job_store.hpp"
#include "daemon/sqlite/database.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/this_coro.hpp>
#include <doctest/doctest.h>

#include <limits>

using namespace wharf::jobs;
using wharf::Awaitable;
using wharf::Error;
using wharf::test::TempDir;

namespace {

JobRecord job(std::uint64_t id) {
    JobRecord record;
    record.id = id;
    record.order.repo.name = "org/model";
    record.order.revision = "main";
    record.order.token = wharf::hub::Token{"hf_secret"};
    return record;
}

Awaitable<> writes_behind() {
    const TempDir dir;
    {
        JobStore store{co_await wharf::asio::this_coro::executor, dir / "jobs.db"};
        JobRecord record = job(store.next_id());
        store.add(record);
        for (int i = 0; i < 1'000; ++i) {
            record.counts.files_done = static_cast<std::uint64_t>(i);
            store.update(record);
        }
        // What is not written yet is found all the same.
        const auto found = co_await store.find(1);
        REQUIRE(found);
        CHECK(found->counts.files_done == 999);
        CHECK(found->order.token.empty());
        const auto page = co_await store.page({}, std::numeric_limits<std::uint64_t>::max(), 10);
        REQUIRE(page.size() == 1);
        CHECK(page.front().counts.files_done == 999);
        co_await store.written();
        CHECK(open_job_rows(dir / "jobs.db")->find(1)->counts.files_done == 999);
        record.state = JobState::done;
        record.finished = WallClock::now();
        store.update(record);
        co_await store.stop(); // writes what is left
    }
    JobStore store{co_await wharf::asio::this_coro::executor, dir / "jobs.db"};
    CHECK(store.unfinished().empty());
    CHECK(store.next_id() == 2);
}

Awaitable<> durable() {
    const TempDir dir;
    JobStore store{co_await wharf::asio::this_coro::executor, dir / "jobs.db"};
    const JobRecord record = job(store.next_id());
    store.add(record);
    co_await store.make_durable(record);
    CHECK(open_job_rows(dir / "jobs.db")->find(1));
    co_await store.stop();
}

/// Makes writes of new jobs fail for as long as this lives.
struct Breakage {
    explicit Breakage(const std::filesystem::path& file) : database{file} {
        database.execute("DROP TABLE selection");
    }
    ~Breakage() {
        database.execute("CREATE TABLE selection (job INTEGER, list TEXT, position INTEGER, text "
                         "TEXT, PRIMARY KEY (job, list, position)) WITHOUT ROWID");
    }
    wharf::sqlite::Database database;
};

Awaitable<> failing_writes() {
    const TempDir dir;
    JobStore store{co_await wharf::asio::this_coro::executor, dir / "jobs.db"};
    JobRecord record = job(store.next_id());
    record.order.download().filter.files = {"a"};
    {
        const Breakage breakage{dir / "jobs.db"};
        store.add(record);
        bool refused = false;
        try {
            co_await store.make_durable(record);
        } catch (const Error&) {
            refused = true;
        }
        CHECK(refused);           // no promise that cannot be kept
        co_await store.written(); // and those who do not need it do not wait for ever
        const auto found = co_await store.find(1);
        CHECK(found); // still known
    }
    // When the disk takes it again, nothing is lost.
    co_await store.make_durable(record);
    CHECK(open_job_rows(dir / "jobs.db")->find(1)->order.download().filter.files.size() == 1);
    co_await store.stop();
}

} // namespace

TEST_CASE("many changes of a job are few writes, and only the last counts") {
    wharf::test::run(writes_behind());
}

TEST_CASE("a durable job is on disk when the call returns") {
    wharf::test::run(durable());
}

TEST_CASE("a write that fails is told to those who need it, and tried again") {
    wharf::test::run(failing_writes());
}
