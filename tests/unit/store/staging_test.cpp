#include "base/error.hpp"
#include "daemon/store/partial_file.hpp"
#include "daemon/store/staging.hpp"
#include "tests/unit/store/fixture.hpp"

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>

namespace fs = std::filesystem;
using wharf::Error;
using wharf::ErrorKind;
using wharf::store::Directory;
using wharf::store::PartialFile;
using wharf::store::Staging;
using wharf::store::Store;
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
    Staging staging{root};
    fs::path folder() const { return dir / ".locks/.wharf"; }
    std::size_t left_over() const {
        return static_cast<std::size_t>(std::distance(fs::directory_iterator{folder()}, {}));
    }
};

} // namespace

TEST_CASE("the staging folder is private and emptied at start") {
    const TempDir dir;
    wharf::test::write(dir / ".locks/.wharf/old.partial", "x");
    const Directory root{dir.path()};
    const Staging staging{root};
    CHECK(wharf::test::mode(dir / ".locks/.wharf") == 0700);
    CHECK(fs::is_empty(dir / ".locks/.wharf"));
}

TEST_CASE("one cache has one daemon") {
    Fixture first;
    wharf::test::write(first.folder() / "busy.partial", "x");
    try {
        const Staging second{first.root};
        FAIL("shared");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::storage);
        CHECK(error.message().starts_with("another wharfd already uses the cache "));
    }
    CHECK(fs::exists(first.folder() / "busy.partial"));
}

TEST_CASE("one state folder has one daemon, whatever its cache") {
    wharf::test::StoreFixture first;
    first.store();
    wharf::async::BlockingPool pool{1};
    const auto start_second = [&] {
        return Store{{.cache_dir = first.outside(), .state_dir = first.state()}, pool};
    };
    try {
        start_second();
        FAIL("shared");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::storage);
        CHECK(error.message().starts_with("another wharfd already uses the state folder "));
    }
    first.close();
    start_second();
}

TEST_CASE("a staging folder that is a link is refused") {
    const TempDir dir;
    fs::create_directories(dir / "cache/.locks");
    fs::create_directories(dir / "outside/precious");
    fs::create_directory_symlink(dir / "outside", dir / "cache/.locks/.wharf");
    const Directory root{dir / "cache"};
    CHECK_THROWS_AS(Staging{root}, Error);
    CHECK(fs::exists(dir / "outside/precious"));
}

TEST_CASE("small files and links replace what is there in one step") {
    Fixture f;
    wharf::test::write(f.dir / "a", "old");
    f.staging.replace_file(f.root, "a", "new", Staging::Durability::flushed);
    f.staging.replace_file(f.root, "b", "new", Staging::Durability::none);
    CHECK(read(f.dir / "a") == "new");
    CHECK(read(f.dir / "b") == "new");
    CHECK(wharf::test::mode(f.dir / "a") == 0644);
    f.staging.replace_link(f.root, "a", "b");
    f.staging.replace_link(f.root, "c", "b");
    f.staging.replace_link(f.root, "c", "a");
    CHECK(fs::read_symlink(f.dir / "a") == "b");
    CHECK(fs::read_symlink(f.dir / "c") == "a");
    // A link in the way is replaced itself, not what it leads to.
    f.staging.replace_file(f.root, "c", "own", Staging::Durability::none);
    CHECK(read(f.dir / "b") == "new");
    CHECK(read(f.dir / "c") == "own");
    CHECK(f.left_over() == 0);
}

TEST_CASE("a folder is not replaced by a file or a link") {
    Fixture f;
    fs::create_directory(f.dir / "folder");
    CHECK_THROWS_AS(f.staging.replace_file(f.root, "folder", "x", Staging::Durability::none),
                    Error);
    CHECK_THROWS_AS(f.staging.replace_link(f.root, "folder", "x"), Error);
    CHECK(fs::is_directory(f.dir / "folder"));
    CHECK(f.left_over() == 0);
}

TEST_CASE("a file gets a second name only as long as it is what it was") {
    Fixture f;
    wharf::test::write(f.dir / "from/x", "right");
    wharf::test::write(f.dir / "to/x", "wrong");
    const Directory from = *f.root.open("from");
    const Directory to = *f.root.open("to");
    auto stamp = from.look("x")->stamp;
    ++stamp.mtime_ns;
    CHECK(f.staging.replace_with_hard_link(from, to, "x", stamp) == Staging::Linked::changed);
    CHECK(f.staging.replace_with_hard_link(from, to, "none", stamp) == Staging::Linked::changed);
    CHECK(read(f.dir / "to/x") == "wrong");
    --stamp.mtime_ns;
    CHECK(f.staging.replace_with_hard_link(from, to, "x", stamp) == Staging::Linked::yes);
    CHECK(f.staging.replace_with_hard_link(from, to, "x", stamp) == Staging::Linked::yes);
    CHECK(wharf::test::stat_of(f.dir / "to/x").st_ino == stamp.inode);
    fs::create_symlink("../from/x", f.dir / "from/link");
    CHECK(f.staging.replace_with_hard_link(from, to, "link", stamp) == Staging::Linked::unable);
    CHECK_FALSE(fs::exists(f.dir / "to/link"));
    CHECK(f.left_over() == 0);
}

TEST_CASE("a partial file has its size at once, is private, and goes away by itself") {
    Fixture f;
    const fs::path path = f.staging.new_path(etag);
    {
        PartialFile file{path, etag, 100'000};
        CHECK(path.parent_path() == f.folder());
        CHECK(path.filename().native().starts_with(etag + "."));
        CHECK(path.filename().native().ends_with(".partial"));
        CHECK(fs::file_size(path) == 100'000);
        CHECK(wharf::test::stat_of(path).st_blocks * 512 >= 100'000);
        CHECK(wharf::test::mode(path) == 0600);
        CHECK_THROWS_AS((PartialFile{path, etag, 1}), Error);
        file.write_at(99'995, bytes("hello"));
        file.start_writeback(0, 100'000);
        std::string back(5, ' ');
        file.read_at(99'995, std::as_writable_bytes(std::span{back}));
        CHECK(back == "hello");
        CHECK_THROWS_AS(file.read_at(99'996, std::as_writable_bytes(std::span{back})), Error);
        CHECK(f.staging.new_path(etag) != path);
    }
    CHECK(f.left_over() == 0);
}

TEST_CASE("a committed file has its name, is read-only and stays") {
    Fixture f;
    fs::create_directory(f.dir / "blobs");
    wharf::test::write(f.dir / "blobs" / etag, "what was there");
    const int reader = ::open((f.dir / "blobs" / etag).c_str(), O_RDONLY);
    {
        PartialFile file{f.staging.new_path(etag), etag, 5};
        file.write_at(0, bytes("hello"));
        CHECK(file.commit(*f.root.open("blobs")));
    }
    CHECK(read(f.dir / "blobs" / etag) == "hello");
    CHECK(wharf::test::mode(f.dir / "blobs" / etag) == 0444);
    std::string old(20, ' ');
    CHECK(::read(reader, old.data(), old.size()) == 14); // who had the old one open keeps it
    ::close(reader);
    CHECK(f.left_over() == 0);
}

TEST_CASE("an empty file is a file") {
    Fixture f;
    PartialFile file{f.staging.new_path(etag), etag, 0};
    CHECK(file.commit(f.root));
    CHECK(fs::file_size(f.dir / etag) == 0);
}

TEST_CASE("a folder that was removed meanwhile can be made again and tried again") {
    Fixture f;
    const Directory gone = f.root.make("blobs");
    fs::remove(f.dir / "blobs");
    PartialFile file{f.staging.new_path(etag), etag, 5};
    file.write_at(0, bytes("hello"));
    CHECK_FALSE(file.commit(gone));
    CHECK(file.commit(f.root.make("blobs")));
    CHECK(read(f.dir / "blobs" / etag) == "hello");
}

TEST_CASE("a file that may not grow that far is an error and leaves nothing") {
    Fixture f;
    struct rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    auto* handler = std::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small{.rlim_cur = 4096, .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK_THROWS_AS((PartialFile{f.staging.new_path(etag), etag, 100'000}), Error);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, handler);
    CHECK(f.left_over() == 0);
}
