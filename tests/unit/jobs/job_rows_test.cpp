#include "daemon/jobs/job_rows.hpp"
#include "daemon/jobs/schema.hpp"
#include "daemon/sqlite/database.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace wharf::jobs;
using wharf::Error;
using wharf::ErrorKind;
using wharf::test::TempDir;

namespace {

/// Milliseconds are kept.
WallClock::time_point now() {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(WallClock::now());
}

JobRecord full_record(std::uint64_t id) {
    JobRecord record;
    record.id = id;
    record.order = {
        .uid = 1000,
        .repo = {wharf::hub::RepoType::dataset, "org/data"},
        .revision = "refs/pr/1",
        .commit = std::string(40, 'c'),
        .token = wharf::hub::Token{"hf_secret"},
        .what = DownloadOrder{
            .ref_before = "",
            .filter = {.files = {"b", "a"}, .include = {"*.json"}, .exclude = {"x/", "y"}},
            .force = true}};
    record.priority = Priority::background;
    record.detached = true;
    record.held = true;
    record.state = JobState::waiting;
    record.reason = "the Hub is away";
    record.waiting_until = now() + 1h;
    record.created = now() - 1h;
    record.troubled_since = now() - 1min;
    record.counts = {.files_done = 1, .files_total = 2, .bytes_done = 3, .bytes_total = 1ULL << 50};
    record.sealed_token = std::string{"\0sealed\xff", 8};
    return record;
}

JobRecord over(std::uint64_t id, WallClock::time_point finished, uid_t uid = 1000) {
    JobRecord record;
    record.id = id;
    record.order.uid = uid;
    record.order.repo.name = "org/model";
    record.order.revision = "main";
    record.order.download().filter.files = {"a"};
    record.state = JobState::done;
    record.finished = finished;
    return record;
}

void add(JobRows& rows, const JobRecord& record) {
    const JobRows::Change change{record, true};
    rows.save({&change, 1}, Durability::process);
}

void update(JobRows& rows, const JobRecord& record) {
    const JobRows::Change change{record, false};
    rows.save({&change, 1}, Durability::power);
}

std::vector<std::uint64_t> ids(const std::vector<JobRecord>& records) {
    std::vector<std::uint64_t> list;
    for (const auto& record : records) {
        list.push_back(record.id);
    }
    return list;
}

using Ids = std::vector<std::uint64_t>;

} // namespace

TEST_CASE("a job is read as it was written, except for its token") {
    const TempDir dir;
    const JobRecord written = full_record(7);
    add(*open_job_rows(dir / "jobs.db"), written);
    const auto rows = open_job_rows(dir / "jobs.db");
    const auto list = rows->unfinished();
    REQUIRE(list.size() == 1);
    const JobRecord& read = list.front();
    CHECK(read.id == 7);
    CHECK(read.order.same_work(written.order));
    CHECK(read.order.revision == "refs/pr/1");
    REQUIRE(read.order.download().ref_before);
    CHECK(read.order.download().ref_before->empty());
    CHECK(read.order.token.empty());
    CHECK(read.priority == Priority::background);
    CHECK(read.detached);
    CHECK(read.held);
    CHECK(read.state == JobState::waiting);
    CHECK(read.reason == "the Hub is away");
    CHECK(read.waiting_until == written.waiting_until);
    CHECK(read.created == written.created);
    CHECK(read.troubled_since == written.troubled_since);
    CHECK_FALSE(read.finished);
    CHECK(read.counts == written.counts);
    CHECK_FALSE(read.failure);
    CHECK(read.sealed_token == written.sealed_token);
    for (const auto& file : std::filesystem::directory_iterator{dir.path()}) {
        std::ifstream stream{file.path(), std::ios::binary};
        const std::string content{std::istreambuf_iterator<char>{stream}, {}};
        CHECK(content.find("hf_secret") == std::string::npos);
    }
}

TEST_CASE("a change is written over what was there") {
    const TempDir dir;
    const auto rows = open_job_rows(dir / "jobs.db");
    JobRecord record = full_record(7);
    record.order.commit.clear();
    record.order.download().ref_before.reset();
    add(*rows, record);
    CHECK(rows->find(7)->order.commit.empty());
    CHECK_FALSE(rows->find(7)->order.download().ref_before);
    record.order.commit = std::string(40, 'd');
    record.order.download().ref_before = std::string(40, 'b');
    record.priority = Priority::interactive;
    record.detached = false;
    record.held = false;
    record.state = JobState::failed;
    record.reason.clear();
    record.waiting_until.reset();
    record.troubled_since.reset();
    record.finished = now();
    record.counts.files_done = 2;
    record.failure = Error{ErrorKind::unavailable, "it failed", "try again"};
    record.sealed_token.clear();
    update(*rows, record);
    const auto read = rows->find(7);
    REQUIRE(read);
    CHECK(read->order.commit == std::string(40, 'd'));
    CHECK(read->order.download().ref_before == std::string(40, 'b'));
    CHECK(read->order.download().filter == record.order.download().filter); // written once
    CHECK(read->priority == Priority::interactive);
    CHECK_FALSE(read->detached);
    CHECK_FALSE(read->held);
    CHECK(read->state == JobState::failed);
    CHECK(read->finished == record.finished);
    CHECK_FALSE(read->waiting_until);
    CHECK_FALSE(read->troubled_since);
    CHECK(read->counts.files_done == 2);
    REQUIRE(read->failure);
    CHECK(read->failure->kind() == ErrorKind::unavailable);
    CHECK(read->failure->message() == "it failed");
    CHECK(read->failure->hint() == "try again");
    CHECK(read->sealed_token.empty());
    CHECK(rows->unfinished().empty());
    CHECK_FALSE(rows->find(8));
}

TEST_CASE("a push is read as it was written, and what it has come to as it was last") {
    const TempDir dir;
    JobRecord record = full_record(7);
    CommitOrder push{.upload = 3,
                     .summary = "title",
                     .description = "two\nlines",
                     .parent = std::string(40, 'a'),
                     .create_pr = true,
                     .create = true,
                     .is_private = true,
                     .attached = true,
                     .outcome = {}};
    record.order.what = push;
    add(*open_job_rows(dir / "jobs.db"), record);
    {
        const auto rows = open_job_rows(dir / "jobs.db");
        REQUIRE(rows->unfinished().size() == 1);
        CHECK(rows->unfinished().front().order.push() == push);
        push.outcome = {.commits = 2,
                        .files = 5,
                        .bytes_sent = 1ULL << 40,
                        .pull_request = 9,
                        .warnings = {"one", "two"}};
        record.order.push().outcome = push.outcome;
        update(*rows, record);
    }
    const auto rows = open_job_rows(dir / "jobs.db");
    CHECK(rows->find(7)->order.push() == push);
    CHECK(rows->page({}, 100, 10).front().order.push() == push);
    CHECK(rows->uploads() == Ids{3});
    record.state = JobState::failed; // may be retried
    record.finished = now() - 50h;
    update(*rows, record);
    CHECK(rows->uploads() == Ids{3});
    record.state = JobState::cancelled;
    update(*rows, record);
    CHECK(rows->uploads().empty());
    CHECK(rows->trim(now() - 24h, 100) == 1);
    CHECK_NOTHROW(add(*rows, record)); // nothing of the old one is left in the way
}

TEST_CASE("a queue from before there were pushes is taken over") {
    const TempDir dir;
    {
        wharf::sqlite::Database old{dir / "jobs.db"};
        old.migrate(std::span{job_schema}.first(1));
        old.execute("INSERT INTO job (id, kind, uid, repo_type, repo, revision, force, priority, "
                    "detached, held, state, reason, created, files_done, files_total, bytes_done, "
                    "bytes_total) VALUES (4, 'download', 1000, 'model', 'org/m', 'main', 0, "
                    "'normal', 1, 0, 'queued', '', 1, 0, 0, 0, 0)");
        old.execute("INSERT INTO selection VALUES (4, 'files', 0, 'a')");
    }
    const auto rows = open_job_rows(dir / "jobs.db");
    REQUIRE(rows->unfinished().size() == 1);
    const JobRecord job = rows->unfinished().front();
    CHECK_FALSE(job.order.is_push());
    CHECK(job.order.download().filter.files == std::vector<std::string>{"a"});
    CHECK(rows->last_id() == 4);
    JobRecord push = full_record(5);
    push.order.what = CommitOrder{};
    CHECK_NOTHROW(add(*rows, push));
}

TEST_CASE("pages go from the newest to the oldest, of one account or all") {
    const TempDir dir;
    const auto rows = open_job_rows(dir / "jobs.db");
    for (std::uint64_t id = 1; id <= 9; ++id) {
        add(*rows, over(id, now(), id % 2 == 0 ? 1000 : 1001));
    }
    constexpr auto end = std::numeric_limits<std::uint64_t>::max();
    CHECK(ids(rows->page({}, end, 3)) == Ids{9, 8, 7});
    CHECK(ids(rows->page({}, 7, 3)) == Ids{6, 5, 4});
    CHECK(ids(rows->page(1000, end, 3)) == Ids{8, 6, 4});
    CHECK(ids(rows->page(1000, 4, 3)) == Ids{2});
    CHECK(rows->page(1002, end, 3).empty());
}

TEST_CASE("history is trimmed by age and by count; what is not over stays") {
    const TempDir dir;
    const auto rows = open_job_rows(dir / "jobs.db");
    add(*rows, full_record(1));
    add(*rows, over(2, now() - 50h));
    for (std::uint64_t id = 3; id <= 8; ++id) {
        add(*rows, over(id, now()));
    }
    constexpr auto end = std::numeric_limits<std::uint64_t>::max();
    CHECK(rows->trim(now() - 24h, 100) == 1);
    CHECK(ids(rows->page({}, end, 100)) == Ids{8, 7, 6, 5, 4, 3, 1});
    CHECK(rows->trim(now() - 24h, 4) == 2);
    CHECK(ids(rows->page({}, end, 100)) == Ids{8, 7, 6, 5, 1});
    CHECK(rows->find(1)->order.download().filter == full_record(1).order.download().filter);
    // A new job under a number that is free again must not inherit another's selection.
    CHECK_NOTHROW(add(*rows, over(2, now())));
}

TEST_CASE("numbers are never given twice, even when the last job was forgotten") {
    const TempDir dir;
    {
        const auto rows = open_job_rows(dir / "jobs.db");
        CHECK(rows->last_id() == 0);
        add(*rows, over(41, now() - 50h));
        CHECK(rows->trim(now(), 100) == 1);
    }
    CHECK(open_job_rows(dir / "jobs.db")->last_id() == 41);
}

TEST_CASE("a damaged file is moved aside, one of a newer version is left alone") {
    const TempDir dir;
    add(*open_job_rows(dir / "jobs.db"), full_record(7));
    {
        std::fstream file{dir / "jobs.db", std::ios::in | std::ios::out | std::ios::binary};
        file.write(std::string(64, 'x').data(), 64);
    }
    CHECK(open_job_rows(dir / "jobs.db")->unfinished().empty());
    bool kept = false;
    for (const auto& file : std::filesystem::directory_iterator{dir.path()}) {
        kept = kept || file.path().filename().string().starts_with("jobs.db.broken-");
    }
    CHECK(kept);
    {
        wharf::sqlite::Database newer{dir / "newer.db"};
        newer.execute("PRAGMA user_version = 99");
    }
    CHECK_THROWS_AS(static_cast<void>(open_job_rows(dir / "newer.db")), Error);
    CHECK(std::filesystem::exists(dir / "newer.db"));
}
