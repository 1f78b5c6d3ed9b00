#include "base/error.hpp"
#include "daemon/store/directory.hpp"
#include "tests/unit/store/fixture.hpp"

#include <algorithm>
#include <sys/stat.h>

namespace fs = std::filesystem;
using wharf::Error;
using wharf::ErrorKind;
using wharf::store::Directory;
using wharf::store::EntryType;
using wharf::store::Unsynced;
using wharf::test::TempDir;

TEST_CASE("folders are made for everybody to read, and what changed is noted") {
    const TempDir dir;
    const auto before = ::umask(077);
    const Directory root{dir.path()};
    Unsynced unsynced;
    const Directory made = root.make("a/b/c", &unsynced);
    ::umask(before);
    CHECK(made.path() == dir / "a/b/c");
    for (const auto* name : {"a", "a/b", "a/b/c"}) {
        CHECK(wharf::test::mode(dir / name) == 0755);
    }
    CHECK(unsynced == Unsynced{dir.path(), dir / "a", dir / "a/b"});
    unsynced.clear();
    root.make("a/b", &unsynced);
    CHECK(unsynced.empty());
    wharf::store::sync_all({dir.path(), dir / "gone"});
}

TEST_CASE("what is missing is none, not an error") {
    const TempDir dir;
    const Directory root{dir.path()};
    CHECK_FALSE(root.open("a"));
    CHECK_FALSE(root.open("a/b"));
    CHECK_FALSE(root.look("a"));
    CHECK_FALSE(root.read_link("a"));
    CHECK_FALSE(root.read_file("a", 10));
    CHECK_FALSE(root.remove("a"));
    CHECK_THROWS_AS(Directory{dir / "a"}, Error);
}

TEST_CASE("no component may be a link or a file") {
    const TempDir dir;
    fs::create_directories(dir / "real/below");
    fs::create_directory_symlink("real", dir / "link");
    wharf::test::write(dir / "file", "x");
    const Directory root{dir.path()};
    for (const auto* path : {"link", "link/below", "real/../link/below", "file", "file/below"}) {
        CAPTURE(path);
        CHECK_THROWS_AS(root.open(path), Error);
        CHECK_THROWS_AS(root.make(path), Error);
    }
    try {
        root.open("link/below");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::storage);
        CHECK(error.message() == (dir / "link").native() + " is in the way: it should be a folder");
    }
}

TEST_CASE("a path cannot climb or start over") {
    const TempDir dir;
    fs::create_directories(dir / "a/b");
    const Directory below = *Directory{dir.path()}.open("a");
    for (const auto* path : {"..", "b/../..", ".", "/", "/etc", "b//b"}) {
        CAPTURE(path);
        CHECK_THROWS_AS(below.open(path), Error);
        CHECK_THROWS_AS(below.make(path), Error);
    }
}

TEST_CASE("entries are told apart and links are not followed") {
    const TempDir dir;
    wharf::test::write(dir / "file", "content");
    fs::create_symlink("file", dir / "link");
    fs::create_directory(dir / "folder");
    REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
    const Directory root{dir.path()};
    CHECK(root.look("file")->type == EntryType::file);
    CHECK(root.look("file")->stamp.size == 7);
    CHECK(root.look("file")->stamp.inode == wharf::test::stat_of(dir / "file").st_ino);
    CHECK(root.look("link")->type == EntryType::link);
    CHECK(root.look("folder")->type == EntryType::folder);
    CHECK(root.look("pipe")->type == EntryType::other);
    CHECK(root.read_link("link") == "file");
    CHECK_FALSE(root.read_link("file"));
    CHECK(root.read_file("file", 100) == "content");
    CHECK(root.read_file("file", 3) == "con");
    CHECK_FALSE(root.read_file("link", 100));
    CHECK_FALSE(root.read_file("pipe", 100));
    CHECK_FALSE(root.read_file("folder", 100));
    auto names = root.list();
    std::ranges::sort(names);
    CHECK(names == std::vector<std::string>{"file", "folder", "link", "pipe"});
    CHECK(root.list().size() == 4);
    CHECK(root.remove("link"));
    CHECK(fs::exists(dir / "file"));
}
