#include "base/error.hpp"
#include "daemon/store/partial_file.hpp"
#include "tests/unit/store/fixture.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>

namespace fs = std::filesystem;
using wharf::Error;
using wharf::ErrorKind;
using wharf::store::Directory;
using wharf::store::PartialFile;
using wharf::test::read;
using wharf::test::TempDir;

namespace {

const std::string etag(64, 'e');

std::span<const std::byte> bytes(std::string_view text) {
    return std::as_bytes(std::span{text});
}

struct Fixture {
    TempDir dir;
    Directory root{dir.path()};
    std::shared_ptr<const Directory> folder = std::make_shared<Directory>(root.make("staging"));
    fs::path path = dir / "staging/p";
    bool left_over() const { return !fs::is_empty(dir / "staging"); }
};

} // namespace

TEST_CASE("a partial file has its size at once, is private, and goes away by itself") {
    Fixture f;
    {
        PartialFile file{f.folder, "p", etag, 100'000};
        file.reserve();
        CHECK(fs::file_size(f.path) == 100'000);
        CHECK(wharf::test::stat_of(f.path).st_blocks * 512 >= 100'000);
        CHECK(wharf::test::mode(f.path) == 0600);
        CHECK_THROWS_AS((PartialFile{f.folder, "p", etag, 1}), Error);
        CHECK(file.piece_count() == 1);
        CHECK(file.piece_size() == 100'000);
        file.record_piece(0, 1); // nowhere
        CHECK_FALSE(file.has_piece(0));
        file.sync_progress();
        file.write_at(99'995, bytes("hello"));
        file.start_writeback(0, 100'000);
        std::string back(5, ' ');
        file.read_at(99'995, std::as_writable_bytes(std::span{back}));
        CHECK(back == "hello");
        CHECK_THROWS_AS(file.read_at(99'996, std::as_writable_bytes(std::span{back})), Error);
    }
    CHECK_FALSE(f.left_over());
}

TEST_CASE("a published file has its name, is read-only and stays") {
    Fixture f;
    fs::create_directory(f.dir / "blobs");
    wharf::test::write(f.dir / "blobs" / etag, "what was there");
    const int reader = ::open((f.dir / "blobs" / etag).c_str(), O_RDONLY);
    {
        PartialFile file{f.folder, "p", etag, 5};
        file.write_at(0, bytes("hello"));
        file.seal();
        CHECK(file.move_to(*f.root.open("blobs")));
    }
    CHECK(read(f.dir / "blobs" / etag) == "hello");
    CHECK(wharf::test::mode(f.dir / "blobs" / etag) == 0444);
    std::string old(20, ' ');
    CHECK(::read(reader, old.data(), old.size()) == 14); // who had the old one open keeps it
    ::close(reader);
    CHECK_FALSE(f.left_over());
}

TEST_CASE("an empty file is a file") {
    Fixture f;
    PartialFile file{f.folder, "p", etag, 0};
    file.seal();
    CHECK(file.move_to(f.root));
    CHECK(fs::file_size(f.dir / etag) == 0);
}

TEST_CASE("a folder that was removed meanwhile can be made again and tried again") {
    Fixture f;
    const Directory gone = f.root.make("blobs");
    fs::remove(f.dir / "blobs");
    PartialFile file{f.folder, "p", etag, 5};
    file.write_at(0, bytes("hello"));
    file.seal();
    CHECK_FALSE(file.move_to(gone));
    CHECK(file.move_to(f.root.make("blobs")));
    CHECK(read(f.dir / "blobs" / etag) == "hello");
}

TEST_CASE("a file that may not grow that far is an error and leaves nothing") {
    Fixture f;
    struct rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    auto* handler = std::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    {
        PartialFile file{f.folder, "p", etag, 100'000};
        CHECK_THROWS_AS(file.reserve(), Error);
    }
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, handler);
    CHECK_FALSE(f.left_over());
}
