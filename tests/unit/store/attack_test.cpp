#include "tests/unit/store/fixture.hpp"

#include <algorithm>
#include <sys/stat.h>

// Somebody who can write to the cache (an adopted one often has mode 0777) puts links where we
// expect folders. We must refuse, and touch nothing outside.

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Error;

namespace {

const auto file = entry("sub/a", "right");

struct Attack : StoreFixture {
    Attack() {
        write(outside() / "precious", "untouched");
        store();
    }

    /// Puts a link to the outside where something of ours is or will be.
    void plant(const fs::path& where) {
        fs::create_directories(where.parent_path());
        fs::remove_all(where);
        fs::create_directory_symlink(outside(), where);
    }

    void check_outside() {
        CHECK(read(outside() / "precious") == "untouched");
        CHECK(std::distance(fs::directory_iterator{outside()}, {}) == 1);
    }
};

} // namespace

TEST_CASE("a repo folder or blobs folder that is a link is refused") {
    Attack f;
    SUBCASE("the repo") {
        f.plant(f.repo());
    }
    SUBCASE("its blobs") {
        f.plant(f.repo() / "blobs");
    }
    SUBCASE("its snapshots") {
        f.plant(f.repo() / "snapshots");
    }
    CHECK_THROWS_AS(f.publish(model, file, "right"), Error);
    f.check_outside();
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("a snapshot that is a link is refused") {
    Attack f;
    f.publish(model, file, "right");
    const auto snapshot = f.store().snapshot_path(model, commit_a);
    SUBCASE("all snapshots") {
        f.plant(snapshot.parent_path());
    }
    SUBCASE("the commit") {
        f.plant(snapshot);
    }
    SUBCASE("a folder in it") {
        f.plant(snapshot / "sub");
    }
    CHECK_THROWS_AS(f.bring_in(model, commit_a, {file}), Error);
    f.check_outside();
}

TEST_CASE("a right pointer behind a planted folder is not taken for ours") {
    Attack f;
    f.publish(model, file, "right");
    const auto snapshot = f.store().snapshot_path(model, commit_a);
    f.bring_in(model, commit_a, {file});
    fs::rename(snapshot / "sub", snapshot / "moved");
    fs::create_directory_symlink("moved", snapshot / "sub");
    CHECK_THROWS_AS(f.bring_in(model, commit_a, {file}), Error);
}

TEST_CASE("a repo that shares a blob by hard link may not be a link either") {
    Attack f;
    f.publish(other, file, "right");
    f.plant(f.repo());
    CHECK_THROWS_AS(f.bring_in(model, commit_a, {file}), Error);
    f.check_outside();
}

TEST_CASE("refs that are links are not followed; the snapshot is there without them") {
    Attack f;
    f.publish(model, file, "right");
    f.bring_in(model, commit_a, {file});
    SUBCASE("the folder") {
        f.plant(f.repo() / "refs");
    }
    SUBCASE("a folder in it") {
        f.plant(f.repo() / "refs/dev");
    }
    f.finish(model, commit_a, "dev/main");
    CHECK_THROWS_AS(f.get(f.store().known_commit(model, "dev/main")), Error);
    f.check_outside();
}

TEST_CASE("a ref that is a link is replaced, not written through") {
    Attack f;
    fs::create_directories(f.repo() / "refs");
    fs::create_symlink(f.outside() / "precious", f.repo() / "refs/main");
    CHECK_FALSE(f.get(f.store().known_commit(model, "main")));
    f.finish(model, commit_a, "main");
    CHECK(f.get(f.store().known_commit(model, "main")) == commit_a);
    f.check_outside();
}

TEST_CASE("file lists are neither read nor written through links") {
    Attack f;
    auto tree = std::make_shared<wharf::hub::Tree>();
    tree->files = {file};
    f.run(f.store().save_tree(other, commit_a, tree));
    const auto name = commit_a + ".json";
    SUBCASE("the folder") {
        f.plant(f.repo() / "trees");
        CHECK_THROWS_AS(f.run(f.store().save_tree(model, commit_a, tree)), Error);
        f.reopen();
        CHECK_THROWS_AS(f.get(f.store().tree(model, commit_a)), Error);
    }
    SUBCASE("the file") {
        fs::create_directories(f.repo() / "trees");
        fs::create_symlink(f.other_repo() / "trees" / name, f.repo() / "trees" / name);
        CHECK(f.get(f.store().tree(model, commit_a)) == nullptr);
        f.run(f.store().save_tree(model, commit_a, tree));
        CHECK_FALSE(fs::is_symlink(f.repo() / "trees" / name));
    }
    f.check_outside();
}

TEST_CASE("a blob that leads out of the cache is missing, and publishing replaces the link") {
    Attack f;
    const auto blob = f.repo() / "blobs" / file.etag();
    write(f.outside() / "precious", "right"); // even with the right content
    fs::create_directories(blob.parent_path());
    SUBCASE("absolute") {
        fs::create_symlink(f.outside() / "precious", blob);
    }
    SUBCASE("relative") {
        fs::create_symlink("../../../outside/precious", blob);
    }
    SUBCASE("through a link in the cache") {
        fs::create_directory_symlink(f.outside(), f.cache() / "blobs");
        fs::create_symlink("../../blobs/precious", blob);
    }
    CHECK_FALSE(f.held(model, file));
    CHECK(f.bring_in(model, commit_a, {file}).missing.size() == 1);
    CHECK_FALSE(f.verify(model, file));
    f.publish(model, file, "right");
    CHECK(fs::is_regular_file(fs::symlink_status(blob)));
    CHECK(read(f.outside() / "precious") == "right");
}

TEST_CASE("something that is no file under a blob's name does not hold us up") {
    Attack f;
    const auto blob = f.repo() / "blobs" / file.etag();
    fs::create_directories(blob.parent_path());
    REQUIRE(::mkfifo(blob.c_str(), 0600) == 0);
    CHECK(f.bring_in(model, commit_a, {file}).missing.size() == 1);
    CHECK_FALSE(f.verify(model, file));
    f.publish(model, file, "right");
    CHECK(f.held(model, file));
}

TEST_CASE("names that are no hashes never become paths") {
    Attack f;
    auto bad = file;
    for (const std::string name : {"../../outside/precious", "", "x",
                                   "AAAAAAAAAAAAAAAAAAAA"
                                   "AAAAAAAAAAAAAAAAAAAA"}) {
        CAPTURE(name);
        bad.blob_id = name;
        CHECK_THROWS_AS(f.bring_in(model, commit_a, {bad}), Error);
        CHECK_THROWS_AS(f.held(model, bad), Error);
        CHECK_THROWS_AS(f.verify(model, bad), Error);
        CHECK_THROWS_AS(f.get(f.store().open_partial(name, 1, piece_size)), Error);
        CHECK_THROWS_AS(f.get(f.store().lock_blob(model, name)), Error);
    }
    CHECK_THROWS_AS(f.bring_in(model, "main", {}), Error);
    CHECK_THROWS_AS(f.finish(model, "../x", "main"), Error);
    CHECK_THROWS_AS(f.finish(model, commit_a, "../../x"), Error);
    bad = file;
    for (const std::string path : {"../x", "sub/../../x", "/etc/x"}) {
        CAPTURE(path);
        f.publish(model, file, "right");
        bad.path = path;
        CHECK_THROWS_AS(f.bring_in(model, commit_a, {bad}), Error);
    }
    f.check_outside();
}
