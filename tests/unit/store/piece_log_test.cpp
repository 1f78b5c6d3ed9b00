#include "base/error.hpp"
#include "base/piece_checksum.hpp"
#include "daemon/store/piece_log.hpp"
#include "tests/unit/store/fixture.hpp"

#include <sys/stat.h>

// What a log says is only as good as what survives of it: whatever its bytes are, it is either
// the log that was written, less some pieces, or none.

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::store::Directory;
using wharf::store::PieceLog;

namespace {

const std::string etag(64, 'e');
constexpr std::uint64_t size = 100;
constexpr std::uint64_t one_piece = 30; // so four pieces, the last one short

struct Fixture {
    TempDir dir;
    std::shared_ptr<const Directory> folder = std::make_shared<Directory>(dir.path());
    fs::path path = dir / "log";

    PieceLog create() { return PieceLog::create(folder, "log", etag, size, one_piece); }
    std::optional<PieceLog> open(const std::string& name = etag, std::uint64_t of_size = size) {
        return PieceLog::open(folder, "log", name, of_size);
    }
};

} // namespace

TEST_CASE("a log remembers what was recorded, and for which blob") {
    Fixture f;
    CHECK_FALSE(f.open());
    {
        PieceLog log = f.create();
        CHECK(log.count() == 4);
        CHECK(log.piece_size() == one_piece);
        log.record(0, 0);
        log.record(1, 11);
        log.record(3, ~std::uint64_t{0});
        log.record(2, 22);
        log.forget(2);
        log.sync();
        CHECK(log.has(1));
        CHECK_FALSE(log.has(2));
    }
    CHECK(mode(f.path) == 0600);
    const auto log = f.open();
    REQUIRE(log);
    CHECK(log->count() == 4);
    CHECK(log->piece_size() == one_piece);
    CHECK(log->has(0));
    CHECK(log->has(1));
    CHECK_FALSE(log->has(2));
    CHECK(log->has(3));
    CHECK(log->checksum(0) == 0);
    CHECK(log->checksum(1) == 11);
    CHECK(log->checksum(3) == ~std::uint64_t{0});
    CHECK_FALSE(f.open(std::string(64, 'f')));
    CHECK_FALSE(f.open(std::string(40, 'e')));
    CHECK_FALSE(f.open(etag, size + 1));
    const PieceLog fresh = f.create();
    CHECK_FALSE(fresh.has(0));
    CHECK_FALSE(f.open()->has(0)); // the old one is gone
}

TEST_CASE("a log that is cut off or longer is none") {
    Fixture f;
    f.create().record(0, 1);
    const std::string whole = read(f.path);
    for (std::size_t length = 0; length <= whole.size() + 1; ++length) {
        CAPTURE(length);
        write(f.path, (whole + "x").substr(0, length));
        CHECK(f.open().has_value() == (length == whole.size()));
    }
}

TEST_CASE("a damaged byte costs the log or one piece, and never adds one") {
    Fixture f;
    {
        PieceLog log = f.create();
        log.record(0, 1);
        log.record(2, 3);
    }
    const std::string whole = read(f.path);
    const std::size_t header = whole.size() - std::size_t{4} * 16;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        CAPTURE(i);
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ 0x40);
        write(f.path, damaged);
        const auto log = f.open();
        CHECK(log.has_value() == (i >= header));
        if (log) {
            const std::size_t hit = (i - header) / 16;
            CHECK(log->has(0) == (hit != 0));
            CHECK_FALSE(log->has(1));
            CHECK(log->has(2) == (hit != 2));
            CHECK_FALSE(log->has(3));
        }
    }
}

TEST_CASE("slots do not stand for one another, and zeros are no slot") {
    Fixture f;
    f.create().record(0, 7);
    std::string content = read(f.path);
    const std::size_t slots = content.size() - std::size_t{4} * 16;
    content.replace(slots + 16, 16, content.substr(slots, 16)); // a block written to a wrong place
    write(f.path, content);
    CHECK(f.open()->has(0));
    CHECK_FALSE(f.open()->has(1));
    content.replace(slots, 16, 16, '\0');
    write(f.path, content);
    CHECK_FALSE(f.open()->has(0));
}

TEST_CASE("what is no file of ours is no log") {
    Fixture f;
    f.create();
    fs::rename(f.path, f.dir / "elsewhere");
    fs::create_symlink("elsewhere", f.path);
    CHECK_FALSE(f.open());
    fs::remove(f.path);
    fs::create_directory(f.path);
    CHECK_FALSE(f.open());
    fs::remove(f.path);
    REQUIRE(::mkfifo(f.path.c_str(), 0600) == 0);
    CHECK_FALSE(f.open());
}

TEST_CASE("pieces are larger where there would be too many of them") {
    Fixture f;
    const std::uint64_t huge = std::uint64_t{1} << 40;
    const PieceLog log = PieceLog::create(f.folder, "log", etag, huge + 1, 1024);
    CHECK(log.count() <= PieceLog::most_pieces);
    CHECK(log.piece_size() * log.count() > huge);
    CHECK(log.piece_size() * (log.count() - 1) <= huge);
    CHECK(f.open(etag, huge + 1)->piece_size() == log.piece_size());
}

TEST_CASE("the checksum of a piece is the same however it is cut") {
    const std::string text(100'000, 'x');
    const auto all = std::as_bytes(std::span{text});
    wharf::PieceChecksum whole;
    whole.update(all);
    wharf::PieceChecksum parts;
    for (std::size_t i = 0; i < all.size(); i += 777) {
        parts.update(all.subspan(i, std::min<std::size_t>(777, all.size() - i)));
    }
    CHECK(whole.value() == parts.value());
    CHECK(whole.value() == whole.value());
    parts.update(all.first(1));
    CHECK(whole.value() != parts.value());
    CHECK(wharf::PieceChecksum{}.value() == 0x2d06'8005'38d3'94c2); // XXH3 of nothing, its seed 0
}
