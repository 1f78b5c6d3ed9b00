#include "base/error.hpp"
#include "base/piece_checksum.hpp"
#include "daemon/store/partials.hpp"
#include "daemon/store/staging.hpp"
#include "tests/unit/store/fixture.hpp"

#include <sys/fsuid.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Error;
using wharf::ErrorKind;
using wharf::store::Directory;
using wharf::store::PartialFile;
using wharf::store::Partials;
using wharf::store::Space;

namespace {

const std::string etag(64, 'e');
const std::string second(64, 'f');
const std::string small(40, 'a');
constexpr std::uint64_t pieces = 4;
constexpr std::uint64_t size = pieces * piece_size;

struct Fixture {
    TempDir dir;
    std::shared_ptr<const Directory> folder = std::make_shared<Directory>(dir.path());
    Partials partials{folder, Space{dir.path(), 0}};

    std::unique_ptr<PartialFile> open(const std::string& name = etag, std::uint64_t of = size) {
        return partials.open(name, of, piece_size);
    }
    /// One that has its second piece.
    void leave(const std::string& name = etag) { open(name)->record_piece(1, 42); }
    bool is_empty() const { return fs::is_empty(dir.path()); }
    void clean_up() const { remove_unusable(folder, std::chrono::days{7}); }
    fs::path file(const std::string& name) const { return dir / (name + ".partial"); }
    fs::path log(const std::string& name) const { return dir / (name + ".pieces"); }
};

void make_old(const fs::path& path, std::chrono::hours age) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - age);
}

} // namespace

TEST_CASE("an unfinished file stays and is gone on with, in its own pieces") {
    Fixture f;
    {
        const auto file = f.open();
        CHECK(file->piece_size() == piece_size);
        CHECK(file->piece_count() == pieces);
        CHECK_FALSE(file->has_piece(1));
        file->write_at(piece_size, std::as_bytes(std::span{std::string_view{"hello"}}));
        file->record_piece(1, 42);
        file->sync_progress();
    }
    f.clean_up();
    {
        const auto file = f.partials.open(etag, size, 3 * piece_size);
        CHECK(file->piece_size() == piece_size);
        CHECK_FALSE(file->has_piece(0));
        REQUIRE(file->has_piece(1));
        CHECK(file->piece_checksum(1) == 42);
        std::string back(5, ' ');
        file->read_at(piece_size, std::as_writable_bytes(std::span{back}));
        CHECK(back == "hello");
        file->forget_piece(1);
        CHECK_FALSE(file->has_piece(1));
    }
    CHECK_FALSE(f.open()->has_piece(1));
    f.open()->discard();
    CHECK(f.is_empty());
}

TEST_CASE("a file of one piece has no log, and goes with its owner") {
    Fixture f;
    for (const std::uint64_t of : {std::uint64_t{0}, std::uint64_t{1}, piece_size}) {
        const auto file = f.open(small, of);
        CHECK(file->piece_count() == 1);
        CHECK(std::distance(fs::directory_iterator{f.dir.path()}, {}) == 1);
    }
    CHECK(f.is_empty());
    f.partials.open(small, 5, 0);
    CHECK(f.is_empty());
}

TEST_CASE("what does not fit the blob begins anew") {
    Fixture f;
    f.leave();
    SUBCASE("another size") {
        CHECK_FALSE(f.open(etag, size + 1)->has_piece(1));
        CHECK(fs::file_size(f.file(etag)) == size + 1);
    }
    SUBCASE("one piece") {
        f.open(etag, 5);
        CHECK(f.is_empty());
    }
    SUBCASE("no log") {
        fs::remove(f.log(etag));
        CHECK_FALSE(f.open()->has_piece(1));
    }
    SUBCASE("a torn log") {
        fs::resize_file(f.log(etag), 20);
        CHECK_FALSE(f.open()->has_piece(1));
    }
    SUBCASE("the log of another blob") {
        f.leave(second);
        fs::rename(f.log(second), f.log(etag));
        CHECK_FALSE(f.open()->has_piece(1));
    }
    SUBCASE("a log alone") {
        fs::remove(f.file(etag));
        CHECK_FALSE(f.open()->has_piece(1));
    }
    SUBCASE("a file that was cut off") {
        fs::resize_file(f.file(etag), 20);
        CHECK_FALSE(f.open()->has_piece(1));
        CHECK(fs::file_size(f.file(etag)) == size);
    }
}

TEST_CASE("a blob's file has one owner at a time") {
    Fixture f;
    for (const std::uint64_t of : {size, std::uint64_t{5}}) {
        const auto file = f.open(etag, of);
        try {
            f.open(etag, of);
            FAIL("opened twice");
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::internal);
        }
        CHECK(fs::exists(f.file(etag)));
        f.open(second);
        file->discard();
    }
}

TEST_CASE("a file that was sealed and not published can be written again") {
    Fixture f;
    f.open()->seal();
    CHECK(mode(f.file(etag)) == 0444);
    // Who may do everything would not notice.
    const bool root = ::geteuid() == 0;
    if (root) {
        for (const auto& path : {f.dir.path(), f.file(etag), f.log(etag)}) {
            REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
        }
        ::setfsuid(65534);
    }
    const auto file = f.open();
    file->write_at(0, std::as_bytes(std::span{std::string_view{"x"}}));
    CHECK(mode(f.file(etag)) == 0600);
    if (root) {
        ::setfsuid(0);
    }
}

TEST_CASE("at start only what can be gone on with is kept, and not for ever") {
    Fixture f;
    f.leave();
    f.leave(second);
    const std::string lone(64, '1');
    const std::string torn(64, '2');
    f.leave(lone);
    fs::remove(f.log(lone));
    f.leave(torn);
    fs::resize_file(f.log(torn), 100);
    write(f.log(std::string(64, '3')), "a log without a file");
    write(f.file("x"), "no hash");
    write(f.dir / "link.00000001.tmp", "x");
    make_old(f.file(second), std::chrono::hours{24 * 7 + 1});
    make_old(f.file(etag), std::chrono::hours{24 * 7 - 1});
    f.clean_up();
    CHECK(std::distance(fs::directory_iterator{f.dir.path()}, {}) == 2);
    CHECK(f.open()->has_piece(1));
    make_old(f.log(etag), std::chrono::hours{24 * 8}); // to be opened is to be used
    f.clean_up();
    CHECK(f.open()->has_piece(1));
}

TEST_CASE("room is made of what nobody has open, the oldest first, and no more than needed") {
    Fixture f;
    const std::string third(64, '3');
    const auto busy = f.open();
    f.leave(second);
    f.leave(third);
    make_old(f.file(etag), std::chrono::hours{3});
    make_old(f.file(second), std::chrono::hours{2});
    CHECK_FALSE(f.partials.free_space(0)); // there is that much
    // More than there is: all that can go goes.
    CHECK(f.partials.free_space(std::uint64_t{1} << 60));
    CHECK(fs::exists(f.file(etag)));
    CHECK_FALSE(fs::exists(f.file(second)));
    CHECK_FALSE(fs::exists(f.log(third)));
    CHECK_FALSE(f.partials.free_space(std::uint64_t{1} << 60));
    busy->record_piece(0, 1);
}

TEST_CASE("the store keeps unfinished files over a restart") {
    StoreFixture f;
    f.get(f.store().open_partial(etag, size, piece_size))->record_piece(2, 7);
    f.reopen();
    CHECK(f.get(f.store().open_partial(etag, size, piece_size))->has_piece(2));
    CHECK(f.get(f.store().available_bytes()) > 0);
    CHECK(f.get(f.store().free_space(std::uint64_t{1} << 60)));
    CHECK(fs::is_empty(f.staging()));
}
