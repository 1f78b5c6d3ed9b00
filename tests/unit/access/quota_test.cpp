#include "daemon/access/quota.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/this_coro.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <set>

namespace asio = boost::asio;
using namespace wharf::access;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::hub::RepoId;
using wharf::hub::RepoType;
using wharf::hub::TreeEntry;
using wharf::test::run;
using wharf::test::TempDir;

namespace {

constexpr std::uint64_t gb = 1'000'000'000;
constexpr uid_t alice = 1000;
constexpr uid_t bob = 1001;

RepoId repo(std::string name) {
    return {RepoType::model, std::move(name)};
}

std::vector<TreeEntry> files(int first, int last) {
    std::vector<TreeEntry> list;
    for (int number = first; number <= last; ++number) {
        list.push_back({.path = std::to_string(number),
                        .size = gb,
                        .blob_id = fmt::format("{:0>40x}", number),
                        .lfs_sha256 = {},
                        .xet_hash = {}});
    }
    return list;
}

Account look_up(uid_t uid) {
    return uid == alice ? Account{uid, "alice", {"lab"}} : Account{uid, "", {}};
}

QuotaRules rules(std::uint64_t everybody, std::uint64_t lab) {
    QuotaRules rules;
    rules.bytes = everybody * gb;
    rules.groups["lab"].bytes = lab * gb;
    return rules;
}

/// Quotas with a cache that says what it holds.
struct Scene {
    Scene(wharf::Executor executor, const std::filesystem::path& folder, QuotaRules rules)
        : accounts{executor, look_up},
          quotas{{.executor = executor,
                  .accounts = accounts,
                  .database = folder / "quota.db",
                  .owner = 5,
                  .present = [this](auto etags) { return present(std::move(etags)); }},
                 std::move(rules)} {}

    Awaitable<std::vector<bool>> present(std::vector<std::string> etags) {
        ++asked;
        std::vector<bool> held;
        for (const auto& etag : etags) {
            held.push_back(!gone.contains(etag));
        }
        co_return held;
    }

    /// Charges files of 1 GB each, and keeps the charge.
    Awaitable<> fits(uid_t uid, std::string name, int first, int last) {
        const auto list = files(first, last);
        auto charge = co_await quotas.charge(uid, repo(std::move(name)), blob_sizes(list));
        charges.push_back(std::move(charge));
    }

    /// The same where it must fail, with this sentence if one is given.
    Awaitable<> refused(uid_t uid, std::string name, int first, int last, std::string why) {
        try {
            co_await fits(uid, std::move(name), first, last);
            FAIL_CHECK("it fits");
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::quota);
            CHECK((why.empty() || error.message() == why));
        }
    }

    Awaitable<> has(uid_t uid, std::uint64_t bytes) {
        const std::uint64_t used = co_await quotas.usage(uid);
        CHECK(used == bytes);
    }

    KnownAccounts accounts;
    std::set<std::string> gone;
    int asked = 0;
    Quotas quotas;
    std::vector<std::unique_ptr<Charge>> charges;
};

/// A scene that was stopped has written everything.
Awaitable<> over_quota(std::filesystem::path folder) {
    Scene scene{co_await asio::this_coro::executor, folder, rules(3, 5)};
    co_await scene.fits(alice, "a", 1, 5); // by her group
    co_await scene.refused(
        alice, "b", 6, 7,
        "your quota is 5.0 GB, 5.0 GB are attributed to you, b needs 2.0 GB more");
    co_await scene.fits(bob, "a", 1, 5); // 2.5 GB of 3
    co_await scene.refused(
        bob, "b", 6, 6, "your quota is 3.0 GB, 2.5 GB are attributed to you, b needs 1.0 GB more");
    co_await scene.fits(alice, "b", 6, 7); // her share has become smaller
    co_await scene.has(alice, 4'500'000'000);
    scene.quotas.set_rules(rules(3, 1));
    co_await scene.fits(alice, "a", 1, 5); // nothing new
    co_await scene.refused(alice, "c", 8, 8, "");
    co_await scene.quotas.stop();
}

Awaitable<> gone_blobs_are_looked_for(std::filesystem::path folder) {
    Scene scene{co_await asio::this_coro::executor, folder, rules(3, 3)};
    co_await scene.fits(alice, "a", 1, 3);
    for (const auto& file : files(1, 2)) {
        scene.gone.insert(file.etag());
    }
    // As long as they are on their way, they are not gone.
    co_await scene.refused(alice, "b", 4, 5, "");
    CHECK(scene.asked == 1);
    scene.charges.clear();
    // Not looked for at every refusal.
    co_await scene.refused(alice, "b", 4, 5, "");
    CHECK(scene.asked == 1);
    co_await scene.quotas.forget_gone(std::nullopt);
    co_await scene.has(alice, gb);
    co_await scene.fits(alice, "b", 4, 5);
    co_await scene.quotas.stop();
}

Awaitable<> looked_for_when_over(std::filesystem::path folder) {
    Scene scene{co_await asio::this_coro::executor, folder, rules(3, 3)};
    co_await scene.fits(alice, "a", 1, 3);
    scene.charges.clear();
    for (const auto& file : files(1, 2)) {
        scene.gone.insert(file.etag());
    }
    co_await scene.fits(alice, "b", 4, 5);
    co_await scene.has(alice, 3 * gb);
    co_await scene.quotas.stop();
}

/// A warm answer for one file, again and again, is written once.
Awaitable<> handed_out(std::filesystem::path folder) {
    const auto executor = co_await asio::this_coro::executor;
    {
        Scene scene{executor, folder, rules(1, 1)};
        for (int i = 0; i < 1000; ++i) {
            scene.quotas.attribute(bob, repo("a"), files(1, 2)); // more than his quota: no matter
        }
        scene.quotas.attribute(alice, repo("a"), files(2, 2));
        co_await scene.quotas.stop();
    }
    Scene scene{executor, folder, rules(1, 1)};
    co_await scene.has(bob, 1'500'000'000);
    co_await scene.has(alice, 500'000'000);
    // What was given up is taken back by the next answer.
    scene.quotas.attribute(bob, repo("a"), files(1, 2));
    const auto released = co_await scene.quotas.release(bob, repo("a"));
    CHECK(released == 1'500'000'000);
    scene.quotas.attribute(bob, repo("a"), files(1, 1));
    co_await scene.quotas.stop();
    co_await scene.has(bob, gb);
    const auto all = co_await scene.quotas.accounts();
    CHECK(all == std::vector<std::pair<uid_t, std::uint64_t>>{{alice, gb}, {bob, gb}});
}

Awaitable<> without_limit(std::filesystem::path folder) {
    Scene scene{co_await asio::this_coro::executor, folder, {}};
    co_await scene.fits(alice, "a", 1, 30);
    co_await scene.quotas.stop();
    co_await scene.has(alice, 30 * gb);
    const auto repos = co_await scene.quotas.repos_of(alice, 5);
    CHECK(repos == std::vector<std::pair<RepoId, std::uint64_t>>{{repo("a"), 30 * gb}});
}

Awaitable<> broken_books(std::filesystem::path folder) {
    Scene scene{co_await asio::this_coro::executor, folder, rules(1, 1)};
    co_await scene.fits(alice, "a", 1, 1);
    wharf::sqlite::Database{folder / "quota.db"}.execute("DROP TABLE share");
    co_await scene.fits(alice, "b", 2, 9);
    co_await scene.quotas.stop();
}

} // namespace

TEST_CASE("what does not fit is refused with numbers before anything is fetched") {
    const TempDir folder;
    run(over_quota(folder.path()));
}

TEST_CASE("blobs on their way are not gone") {
    const TempDir folder;
    run(gone_blobs_are_looked_for(folder.path()));
}

TEST_CASE("before somebody is refused, what is gone from the cache is dropped") {
    const TempDir folder;
    run(looked_for_when_over(folder.path()));
}

TEST_CASE("what is handed out from the cache is put on the account") {
    const TempDir folder;
    run(handed_out(folder.path()));
}

TEST_CASE("without a limit nobody waits for the books") {
    const TempDir folder;
    run(without_limit(folder.path()));
}

TEST_CASE("books that cannot be kept stop nobody") {
    const TempDir folder;
    run(broken_books(folder.path()));
}
