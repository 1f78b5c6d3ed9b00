#include "daemon/store/catalogue.hpp"
#include "daemon/store/schema.hpp"
#include "tests/unit/store/fixture.hpp"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>

namespace fs = std::filesystem;
using wharf::Error;
using wharf::store::adopt;
using wharf::store::Catalogue;
using wharf::store::Directory;
using wharf::store::open_catalogue;
using wharf::store::Stamp;
using wharf::test::TempDir;

namespace {

constexpr std::uint64_t home = 77;
const std::string sha1(40, '1');
const std::string sha256 = std::string(60, 'f') + "09ab";
constexpr Stamp stamp{
    .device = home, .inode = 5, .size = 100, .mtime_ns = 1'700'000'000'000'000'001};

std::vector<std::string> broken_files(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& found : fs::directory_iterator{folder}) {
        if (found.path().native().find(".broken-") != std::string::npos) {
            names.push_back(found.path().filename());
        }
    }
    return names;
}

void set_mtime(const fs::path& path, std::int64_t seconds) {
    const std::array<struct timespec, 2> times{{{seconds, 0}, {seconds, 0}}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0);
}

} // namespace

TEST_CASE("the catalogue remembers where a blob is and how it looked") {
    const TempDir dir;
    Catalogue catalogue{dir / "c.db", home};
    CHECK(catalogue.holdings(sha1).empty());
    catalogue.record_present(sha256, "models--a--b");
    catalogue.record_verified(sha256, "models--c--d", stamp);
    auto found = catalogue.holdings(sha256);
    std::ranges::sort(found, {}, &Catalogue::Holding::folder);
    REQUIRE(found.size() == 2);
    CHECK(found[0].folder == "models--a--b");
    CHECK_FALSE(found[0].verified);
    CHECK(found[1].verified == stamp);
    CHECK(catalogue.holdings(sha1).empty());
    CHECK(catalogue.holdings(std::string(64, 'f')).empty());

    catalogue.record_present(sha256, "models--c--d"); // must not lose what is known
    catalogue.record_verified(sha256, "models--a--b", stamp);
    for (const auto& holding : catalogue.holdings(sha256)) {
        CHECK(holding.verified == stamp);
    }
    catalogue.forget(sha256, "models--c--d");
    catalogue.forget(sha256, "models--unknown");
    REQUIRE(catalogue.holdings(sha256).size() == 1);
    CHECK(catalogue.holdings(sha256)[0].folder == "models--a--b");
}

TEST_CASE("large numbers keep their bits") {
    const TempDir dir;
    Catalogue catalogue{dir / "c.db", home};
    const Stamp large{.device = ~0ULL, .inode = ~0ULL - 1, .size = 1ULL << 62, .mtime_ns = -1};
    catalogue.record_verified(sha1, "models--a--b", large);
    CHECK(catalogue.holdings(sha1).at(0).verified == large);
}

TEST_CASE("a file is recognized by how it looks, while it looks so") {
    const TempDir dir;
    Catalogue catalogue{dir / "c.db", home};
    CHECK(catalogue.verified_as(stamp).empty());
    catalogue.record_verified(sha1, "models--a--b", stamp);
    catalogue.record_verified(sha1, "models--c--d", stamp);
    catalogue.record_present(sha256, "models--a--b");
    const auto found = catalogue.verified_as(stamp);
    REQUIRE(found.size() == 2);
    CHECK(found[0].etag == sha1);
    CHECK(found[0].folder != found[1].folder);
    for (const int part : {0, 1, 2, 3}) {
        Stamp different = stamp;
        different.device += part == 0 ? 1 : 0;
        different.inode += part == 1 ? 1 : 0;
        different.size += part == 2 ? 1 : 0;
        different.mtime_ns += part == 3 ? 1 : 0;
        CHECK(catalogue.verified_as(different).empty());
    }
}

TEST_CASE("a catalogue of the first version is brought forward") {
    const TempDir dir;
    {
        wharf::sqlite::Database old{dir / "c.db"};
        old.migrate(std::span{wharf::store::catalogue_schema}.first(1));
        old.execute("INSERT INTO repo VALUES (1, 'models--a--b', 0)");
        old.execute("INSERT INTO blob VALUES (x'" + sha1 + "', 1, 0, 5, 100, 7)");
    }
    const Stamp known{.device = home, .inode = 5, .size = 100, .mtime_ns = 7};
    const auto catalogue = open_catalogue(dir / "c.db", home);
    REQUIRE(catalogue->verified_as(known).size() == 1);
    CHECK(catalogue->verified_as(known)[0].etag == sha1);
    CHECK(broken_files(dir.path()).empty());
}

TEST_CASE("the cache's file system may get another number") {
    const TempDir dir;
    const Stamp foreign{.device = 3, .inode = 5, .size = 100, .mtime_ns = 1};
    {
        Catalogue catalogue{dir / "c.db", home};
        catalogue.record_verified(sha1, "models--a--b", stamp);
        catalogue.record_verified(sha256, "models--a--b", foreign);
    }
    Catalogue catalogue{dir / "c.db", 99};
    CHECK(catalogue.holdings(sha1).at(0).verified->device == 99);
    CHECK(catalogue.holdings(sha256).at(0).verified->device == 3);
}

TEST_CASE("an empty file is brought to the newest version") {
    const TempDir dir;
    wharf::test::write(dir / "c.db", "");
    const auto catalogue = open_catalogue(dir / "c.db", home);
    catalogue->record_present(sha1, "models--a--b");
    wharf::sqlite::Database database{dir / "c.db"};
    database.migrate(wharf::store::catalogue_schema);
    CHECK(broken_files(dir.path()).empty());
}

TEST_CASE("a catalogue of a newer wharfd is refused and left alone") {
    const TempDir dir;
    open_catalogue(dir / "c.db", home)->record_verified(sha1, "models--a--b", stamp);
    wharf::sqlite::Database{dir / "c.db"}.execute("PRAGMA user_version = 99");
    try {
        open_catalogue(dir / "c.db", home);
        FAIL("opened");
    } catch (const Error& error) {
        CHECK(error.kind() == wharf::ErrorKind::storage);
        CHECK(error.message().find("schema version 99") != std::string::npos);
    }
    CHECK(broken_files(dir.path()).empty());
    wharf::sqlite::Database{dir / "c.db"}.execute("PRAGMA user_version = 1");
    CHECK(open_catalogue(dir / "c.db", home)->holdings(sha1).at(0).verified == stamp);
}

TEST_CASE("a damaged catalogue is moved aside") {
    const TempDir dir;
    wharf::test::write(dir / "c.db", std::string(10'000, 'x'));
    wharf::test::write(dir / "c.db-wal", "y");
    const auto catalogue = open_catalogue(dir / "c.db", home);
    CHECK(catalogue->holdings(sha1).empty());
    catalogue->record_present(sha1, "models--a--b");
    CHECK(catalogue->holdings(sha1).size() == 1);
    const auto kept = broken_files(dir.path());
    CHECK(std::ranges::any_of(kept, [&](const std::string& name) {
        return wharf::test::read(dir / name) == std::string(10'000, 'x');
    }));
}

TEST_CASE("a log without its database is not replayed into a new one") {
    const TempDir dir;
    {
        const auto catalogue = open_catalogue(dir / "c.db", home);
        catalogue->record_verified(sha1, "models--a--b", stamp);
        fs::copy_file(dir / "c.db-wal", dir / "kept");
    }
    fs::remove(dir / "c.db");
    fs::rename(dir / "kept", dir / "c.db-wal");
    CHECK(open_catalogue(dir / "c.db", home)->holdings(sha1).empty());
}

TEST_CASE("adopting lists every blob on disk, as unchecked") {
    const TempDir dir;
    const fs::path cache = dir / "cache";
    wharf::test::write(cache / "models--a--b/blobs" / sha1, "x");
    wharf::test::write(cache / "models--a--b/blobs" / (sha1 + ".12345678.incomplete"), "x");
    wharf::test::write(cache / "models--a--b/blobs/tmp_0815", "x");
    wharf::test::write(cache / "spaces--a--b/blobs" / sha1, "x");
    wharf::test::write(cache / "kernels--a--b/blobs" / sha256, "x");
    wharf::test::write(cache / "blobs" / sha256, "x"); // the official client's shared store
    wharf::test::write(cache / "datasets--no--blobs/refs/main", "x");
    wharf::test::write(cache / "models--not-a-folder", "x");
    fs::create_directory_symlink("models--a--b", cache / "models--link--x");
    Catalogue catalogue{dir / "c.db", home};
    adopt(Directory{cache}, catalogue);
    const auto found = catalogue.holdings(sha1);
    CHECK(found.size() == 2);
    for (const auto& holding : found) {
        CHECK_FALSE(holding.verified);
    }
    CHECK(catalogue.holdings(sha256).empty());
}

TEST_CASE("adopting again finds what is new and keeps what is known") {
    const TempDir dir;
    const fs::path blobs = dir / "models--a--b/blobs";
    const Directory cache{dir.path()};
    Catalogue catalogue{dir / "c.db", home};
    wharf::test::write(blobs / sha1, "x");
    adopt(cache, catalogue);
    CHECK(catalogue.scanned("models--a--b") == 0); // may still change in the same tick
    set_mtime(blobs, 1'600'000'000);
    adopt(cache, catalogue);
    CHECK(catalogue.scanned("models--a--b") == 1'600'000'000'000'000'000);
    catalogue.record_verified(sha1, "models--a--b", stamp);

    wharf::test::write(blobs / sha256, "x");
    set_mtime(blobs, 1'600'000'000); // unseen: nothing tells that it changed
    adopt(cache, catalogue);
    CHECK(catalogue.holdings(sha256).empty());
    set_mtime(blobs, 1'600'000'001);
    adopt(cache, catalogue);
    CHECK(catalogue.holdings(sha256).size() == 1);
    CHECK(catalogue.holdings(sha1).at(0).verified == stamp);
}
