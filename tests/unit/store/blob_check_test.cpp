#include "daemon/store/blob_check.hpp"
#include "daemon/store/shelf.hpp"
#include "tests/unit/store/fixture.hpp"

#include <fcntl.h>

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::store::BlobCheck;

namespace {

BlobCheck open_check(const fs::path& path, const wharf::hub::TreeEntry& entry) {
    return {wharf::UniqueFd{wharf::adopt_fd, ::open(path.c_str(), O_RDONLY | O_CLOEXEC)}, entry};
}

BlobCheck::Verdict check(const fs::path& path, const wharf::hub::TreeEntry& entry) {
    auto check = open_check(path, entry);
    while (check.read_slice()) {
    }
    return check.verdict();
}

} // namespace

TEST_CASE("content is told right from wrong") {
    const TempDir dir;
    write(dir / "right", "content");
    write(dir / "wrong", "c0ntent");
    write(dir / "short", "conten");
    write(dir / "empty", "");
    for (const bool large : {false, true}) {
        const auto file = entry("a", "content", large);
        CHECK(check(dir / "right", file) == BlobCheck::Verdict::right);
        CHECK(check(dir / "wrong", file) == BlobCheck::Verdict::wrong);
        CHECK(check(dir / "short", file) == BlobCheck::Verdict::wrong);
        CHECK(check(dir / "empty", file) == BlobCheck::Verdict::wrong);
        CHECK(check(dir / "empty", entry("b", "", large)) == BlobCheck::Verdict::right);
    }
}

TEST_CASE("the wrong size needs no reading") {
    const TempDir dir;
    write(dir / "huge", "");
    fs::resize_file(dir / "huge", std::uintmax_t{1} << 40);
    CHECK(check(dir / "huge", entry("a", "content", true)) == BlobCheck::Verdict::wrong);
}

TEST_CASE("what is written to meanwhile is neither right nor wrong") {
    const TempDir dir;
    const std::string content(65 << 20, 'x');
    write(dir / "a", content);
    auto check = open_check(dir / "a", entry("a", content, true));
    CHECK(check.read_slice());
    SUBCASE("longer") {
        fs::resize_file(dir / "a", content.size() + 1);
    }
    SUBCASE("shorter") {
        fs::resize_file(dir / "a", content.size() - 1);
    }
    SUBCASE("touched") {
        fs::last_write_time(dir / "a", fs::file_time_type{});
    }
    CHECK_FALSE(check.read_slice());
    CHECK(check.verdict() == BlobCheck::Verdict::changed);
}

TEST_CASE("rows of files that are gone are forgotten when they are come upon") {
    const TempDir dir;
    const auto file = entry("a", "right");
    const wharf::store::Directory cache{dir.path()};
    wharf::store::Staging staging{cache, std::chrono::days{7}};
    wharf::store::Catalogue catalogue{dir / "c.db", 1};
    wharf::store::Shelf shelf{cache, staging, catalogue};
    catalogue.record_present(file.etag(), "models--a--b");
    catalogue.record_present(file.etag(), "models--c--d");
    CHECK_FALSE(shelf.held("models--a--b", {file}).at(0));
    CHECK(catalogue.holdings(file.etag()).size() == 2); // only asked
    CHECK(shelf.bring_in("models--a--b", commit_a, {file}).missing.size() == 1);
    CHECK(catalogue.holdings(file.etag()).empty());
}

TEST_CASE("only the file that was found wrong is removed") {
    const TempDir dir;
    const auto file = entry("a", "right");
    const fs::path blob = dir / "models--a--b/blobs" / file.etag();
    write(blob, "wrong");
    const wharf::store::Directory cache{dir.path()};
    wharf::store::Staging staging{cache, std::chrono::days{7}};
    wharf::store::Catalogue catalogue{dir / "c.db", wharf::store::stamp_of(cache.fd()).device};
    wharf::store::Shelf shelf{cache, staging, catalogue};
    const auto wrong = cache.open("models--a--b/blobs")->look(file.etag())->stamp;
    write(dir / "new", "right");
    fs::rename(dir / "new", blob); // somebody was faster
    shelf.record_verified(file.etag(), "models--a--b", wrong);
    shelf.discard(file.etag(), "models--a--b", wrong);
    CHECK(read(blob) == "right");
    CHECK(catalogue.holdings(file.etag()).size() == 1);
    const auto now = cache.open("models--a--b/blobs")->look(file.etag())->stamp;
    shelf.discard(file.etag(), "models--a--b", now);
    CHECK_FALSE(fs::exists(blob));
    CHECK(catalogue.holdings(file.etag()).empty());
    shelf.discard(file.etag(), "models--a--b", now);
    shelf.discard(file.etag(), "models--none--none", now);
}
