#include "base/error.hpp"
#include "daemon/store/staging.hpp"
#include "tests/unit/store/fixture.hpp"

namespace fs = std::filesystem;
using wharf::Error;
using wharf::ErrorKind;
using wharf::store::Directory;
using wharf::store::Staging;
using wharf::store::Store;
using wharf::test::read;
using wharf::test::TempDir;

namespace {

struct Fixture {
    TempDir dir;
    Directory root{dir.path()};
    Staging staging{root, std::chrono::days{7}};
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
    const Staging staging{root, std::chrono::days{7}};
    CHECK(wharf::test::mode(dir / ".locks/.wharf") == 0700);
    CHECK(fs::is_empty(dir / ".locks/.wharf"));
}

TEST_CASE("what is to be pushed outlives the daemon") {
    const TempDir dir;
    wharf::test::write(dir / ".locks/.wharf/uploads/7/a", "x");
    wharf::test::write(dir / ".locks/.wharf/old.partial", "x");
    const Directory root{dir.path()};
    {
        const Staging staging{root, std::chrono::days{7}};
    }
    CHECK(read(dir / ".locks/.wharf/uploads/7/a") == "x");
    CHECK_FALSE(fs::exists(dir / ".locks/.wharf/old.partial"));
    fs::remove_all(dir / ".locks/.wharf/uploads");
    wharf::test::write(dir / ".locks/.wharf/uploads", "no folder");
    const Staging staging{root, std::chrono::days{7}};
    CHECK(fs::is_empty(dir / ".locks/.wharf"));
}

TEST_CASE("one cache has one daemon") {
    Fixture first;
    wharf::test::write(first.folder() / "busy.partial", "x");
    try {
        const Staging second{first.root, std::chrono::days{7}};
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
    CHECK_THROWS_AS((Staging{root, std::chrono::days{7}}), Error);
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
    CHECK(f.staging.replace_with_hard_link(from, "x", to, "x", stamp) == Staging::Linked::changed);
    CHECK(f.staging.replace_with_hard_link(from, "none", to, "none", stamp) ==
          Staging::Linked::changed);
    CHECK(read(f.dir / "to/x") == "wrong");
    --stamp.mtime_ns;
    CHECK(f.staging.replace_with_hard_link(from, "x", to, "x", stamp) == Staging::Linked::yes);
    CHECK(f.staging.replace_with_hard_link(from, "x", to, "x", stamp) == Staging::Linked::yes);
    CHECK(wharf::test::stat_of(f.dir / "to/x").st_ino == stamp.inode);
    fs::create_symlink("../from/x", f.dir / "from/link");
    CHECK(f.staging.replace_with_hard_link(from, "link", to, "link", stamp) ==
          Staging::Linked::unable);
    CHECK_FALSE(fs::exists(f.dir / "to/link"));
    CHECK(f.left_over() == 0);
}
