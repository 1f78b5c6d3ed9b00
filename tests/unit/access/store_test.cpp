#include "daemon/access/access_store.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/this_coro.hpp>

#include <fstream>
#include <iterator>
#include <string>
#include <sys/stat.h>

using namespace wharf;
using namespace wharf::access;
using namespace std::chrono_literals;
using wharf::test::TempDir;

namespace {

const hub::RepoId model{hub::RepoType::model, "org/name"};
const hub::RepoId dataset{hub::RepoType::dataset, "org/name"};
constexpr WallTime noon{500'000h};

RecordChange grant(uid_t uid, WallTime proven) {
    return {.key = {.repo = model, .uid = uid},
            .times = RecordChange::Times{.proven = proven, .used = noon, .by_stored = true}};
}
RecordChange open_to_all(hub::RepoId repo) {
    return {.key = {.repo = std::move(repo), .uid = {}},
            .times = RecordChange::Times{.proven = noon, .used = {}, .by_stored = false}};
}
RecordChange without_times(RecordChange change) {
    change.times.reset();
    return change;
}

Awaitable<> keeps_the_last_state() {
    const TempDir dir;
    const Executor executor = co_await asio::this_coro::executor;
    {
        AccessStore store{executor, dir / "access.db"};
        CHECK(store.all().grants.empty());
        store.note(open_to_all(model));
        store.note(open_to_all(dataset)); // of the same name, and another repo
        for (int i = 0; i <= 1'000; ++i) {
            store.note(grant(1001, noon + i * 1s));
        }
        store.note(grant(1002, noon));
        co_await store.stop();
    }
    AccessStore store{executor, dir / "access.db"};
    const AccessRecords records = store.all();
    CHECK(records.publics.size() == 2);
    REQUIRE(records.grants.size() == 2);
    CHECK(
        records.grants.front() ==
        GrantRecord{
            .uid = 1001, .repo = model, .proven = noon + 1'000s, .used = noon, .by_stored = true});
    store.note(without_times(grant(1001, noon)));
    store.note(without_times(open_to_all(model)));
    co_await store.stop();
    const AccessRecords left = open_access_rows(dir / "access.db")->all();
    CHECK(left.publics == std::vector{PublicRecord{.repo = dataset, .proven = noon}});
    REQUIRE(left.grants.size() == 1);
    CHECK(left.grants.front().uid == 1002);
}

/// A disk that does not take it: what is left is written when it does, and nothing waits for ever.
Awaitable<> failing_writes() {
    const TempDir dir;
    const Executor executor = co_await asio::this_coro::executor;
    sqlite::Database beside{dir / "access.db"};
    {
        AccessStore store{executor, dir / "access.db"};
        beside.execute("ALTER TABLE access_grant RENAME TO elsewhere");
        store.note(grant(1001, noon));
        co_await store.stop();
        beside.execute("ALTER TABLE elsewhere RENAME TO access_grant");
    }
    AccessStore store{executor, dir / "access.db"};
    CHECK(store.all().grants.empty());
    beside.execute("ALTER TABLE access_grant RENAME TO elsewhere");
    store.note(grant(1001, noon));
    while (!store.is_troubled()) {
        co_await async::sleep_for(1ms);
    }
    store.note(grant(1001, noon + 1h));
    store.note(grant(1002, noon));
    beside.execute("ALTER TABLE elsewhere RENAME TO access_grant");
    co_await store.stop();
    const AccessRecords left = open_access_rows(dir / "access.db")->all();
    REQUIRE(left.grants.size() == 2);
    CHECK(left.grants.front().proven == noon + 1h);
}

} // namespace

TEST_CASE("what is noted is there after a restart, in its last state") {
    wharf::test::run(keeps_the_last_state());
}

TEST_CASE("what could not be written is written later, or given up at the end") {
    wharf::test::run(failing_writes());
}

TEST_CASE("the file is the daemon's alone") {
    const TempDir dir;
    open_access_rows(dir / "access.db");
    struct stat status{};
    REQUIRE(::stat((dir / "access.db").c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
}

TEST_CASE("a damaged file is kept aside, and all begins anew") {
    const TempDir dir;
    std::ofstream{dir / "access.db"} << std::string(8'192, 'x');
    CHECK(open_access_rows(dir / "access.db")->all().grants.empty());
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator{dir.path()}) {
        files += entry.path().filename().string().starts_with("access.db.broken-") ? 1 : 0;
    }
    CHECK(files == 1);
}
