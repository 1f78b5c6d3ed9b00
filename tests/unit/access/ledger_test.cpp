#include "daemon/access/ledger.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <fstream>
#include <map>

using wharf::access::Asked;
using wharf::access::BlobSizes;
using wharf::access::Ledger;
using wharf::access::open_ledger;
using wharf::hub::RepoId;
using wharf::hub::RepoType;
using wharf::test::TempDir;

namespace {

const RepoId model{RepoType::model, "org/model"};
const RepoId data{RepoType::dataset, "org/model"};

std::string etag(int number) {
    return fmt::format("{:0>40x}", number);
}

/// Blobs `first` to `last`, of 100 bytes each.
BlobSizes blobs(int first, int last, std::uint64_t size = 100) {
    BlobSizes list;
    for (int number = first; number <= last; ++number) {
        list.emplace_back(etag(number), size);
    }
    return list;
}

struct Books {
    TempDir folder;
    Ledger ledger{folder / "quota.db"};

    Ledger::Outcome carry(uid_t uid, const RepoId& repo, const BlobSizes& list,
                          std::optional<std::uint64_t> limit = {}) {
        return ledger.carry({uid, repo}, list, limit);
    }
};

} // namespace

TEST_CASE("what several carry, they share") {
    Books books;
    books.carry(1, model, blobs(1, 4));
    CHECK(books.ledger.used_by(1) == 400);
    const auto outcome = books.carry(2, model, blobs(3, 6));
    CHECK(outcome.used == 0);
    CHECK(outcome.needed == 2 * 50 + 2 * 100);
    CHECK(books.ledger.used_by(1) == 300);
    CHECK(books.ledger.used_by(2) == 300);
    books.carry(3, data, blobs(3, 3));
    CHECK(books.ledger.used_by(1) == 200 + 50 + 33);
    CHECK(books.ledger.accounts() ==
          std::vector<std::pair<uid_t, std::uint64_t>>{{1, 283}, {2, 283}, {3, 33}});
}

TEST_CASE("asking again, under other paths and in other repos costs nothing more") {
    Books books;
    auto twice = blobs(1, 2);
    twice.emplace_back(etag(1), 100);
    CHECK(books.carry(1, model, twice).needed == 200);
    CHECK(books.carry(1, model, twice).needed == 0);
    CHECK(books.carry(1, data, blobs(2, 2)).needed == 0);
    CHECK(books.ledger.used_by(1) == 200);
}

TEST_CASE("a limit lets all through or nothing") {
    Books books;
    CHECK(books.carry(1, model, blobs(1, 4), 400).fits);
    const auto outcome = books.carry(1, model, blobs(4, 5), 499);
    CHECK_FALSE(outcome.fits);
    CHECK(outcome.used == 400);
    CHECK(outcome.needed == 100);
    CHECK(books.ledger.used_by(1) == 400);
    CHECK(books.ledger.blobs_after(0, {}, 10).size() == 4);
    // Of what others carry only the share counts, and what is carried already is never refused.
    books.carry(2, model, blobs(5, 5));
    CHECK(books.carry(1, model, blobs(4, 5), 450).fits);
    CHECK(books.carry(1, model, blobs(1, 5), 1).fits);
}

TEST_CASE("giving up a repo leaves what is carried for another") {
    Books books;
    books.carry(1, model, blobs(1, 3));
    books.carry(1, data, blobs(3, 4));
    books.carry(2, model, blobs(1, 1));
    CHECK(books.ledger.used_by(1) == 350);
    CHECK(books.ledger.release({1, model}) == 150);
    CHECK(books.ledger.used_by(1) == 200);
    CHECK(books.ledger.used_by(2) == 100); // alone now
    CHECK(books.ledger.release({1, model}) == 0);
    CHECK(books.ledger.release({1, {RepoType::model, "no/such"}}) == 0);
    CHECK(books.ledger.release({1, data}) == 200);
    CHECK(books.ledger.release({2, model}) == 100);
    CHECK(books.ledger.accounts().empty());
    CHECK(books.ledger.blobs_after(0, {}, 10).empty());
}

TEST_CASE("the repos of an account, the largest first") {
    Books books;
    books.carry(1, model, blobs(1, 3));
    books.carry(1, data, blobs(3, 9));
    books.carry(2, data, blobs(4, 9));
    CHECK(books.ledger.repos_of(1, 10) ==
          std::vector<std::pair<RepoId, std::uint64_t>>{{data, 400}, {model, 300}});
    CHECK(books.ledger.repos_of(1, 1).size() == 1);
    CHECK(books.ledger.repos_of(3, 10).empty());
}

TEST_CASE("blobs that are gone are nobody's, except of those who are about to have them") {
    Books books;
    books.carry(1, model, blobs(1, 3));
    books.carry(2, model, blobs(2, 3));
    auto listed = books.ledger.blobs_after(0, {}, 2);
    REQUIRE(listed.size() == 2);
    CHECK(listed[0].second == etag(1));
    CHECK(books.ledger.blobs_after(listed[1].first, {}, 2).size() == 1);
    CHECK(books.ledger.blobs_after(0, 2, 9).size() == 2);
    books.ledger.forget(std::vector{listed[0].first, listed[1].first}, {Asked{2, model}});
    CHECK(books.ledger.used_by(1) == 50);
    CHECK(books.ledger.used_by(2) == 150);
}

TEST_CASE("etags of both lengths come back as they were") {
    Books books;
    const std::string sha256 = "00" + std::string(60, 'f') + "09";
    BlobSizes list;
    list.emplace_back(sha256, 5);
    list.emplace_back(etag(0xabc), 0);
    books.carry(1, model, list);
    CHECK(books.ledger.blobs_after(0, 1, 9) ==
          std::vector<Ledger::Numbered>{{1, sha256}, {2, etag(0xabc)}});
    CHECK(books.ledger.used_by(1) == 5);
}

TEST_CASE("the books are kept, and damaged ones are moved aside") {
    const TempDir folder;
    open_ledger(folder / "quota.db")->carry({1, model}, blobs(1, 2), {});
    CHECK(open_ledger(folder / "quota.db")->used_by(1) == 200);
    std::filesystem::remove(folder / "quota.db-wal");
    std::ofstream{folder / "quota.db"} << "this is no database, and long enough to be looked at";
    const auto ledger = open_ledger(folder / "quota.db");
    CHECK(ledger->used_by(1) == 0);
    ledger->carry({1, model}, blobs(1, 1), {});
    CHECK(ledger->used_by(1) == 100);
}

TEST_CASE("the sums stay right whatever happens") {
    Books books;
    std::uint64_t random = 1;
    const auto next = [&random](unsigned below) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        return static_cast<int>((random >> 33) % below);
    };
    for (int step = 0; step < 300; ++step) {
        const auto uid = static_cast<uid_t>(next(4));
        const RepoId repo{RepoType::model, fmt::format("org/{}", next(3))};
        if (next(3) == 0) {
            books.ledger.release({uid, repo});
        } else {
            const int first = next(20);
            books.carry(uid, repo, blobs(first, first + next(10), 6));
        }
    }
    // Blob by blob, as nobody would want to wait for it.
    std::map<std::string, int> carriers;
    for (uid_t uid = 0; uid < 4; ++uid) {
        for (const auto& [number, hash] : books.ledger.blobs_after(0, uid, 100)) {
            ++carriers[hash];
        }
    }
    for (uid_t uid = 0; uid < 4; ++uid) {
        std::uint64_t sum = 0;
        std::map<int, std::uint64_t> by_carriers;
        for (const auto& [number, hash] : books.ledger.blobs_after(0, uid, 100)) {
            by_carriers[carriers[hash]] += 6;
        }
        for (const auto& [count, bytes] : by_carriers) {
            sum += bytes / static_cast<std::uint64_t>(count);
        }
        CHECK(books.ledger.used_by(uid) == sum);
    }
}
