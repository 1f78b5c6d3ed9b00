#include "tests/unit/store/fixture.hpp"

#include <array>
#include <fcntl.h>
#include <sys/stat.h>

namespace fs = std::filesystem;
using namespace wharf::test;

namespace {

void set_mtime(const fs::path& path, struct timespec mtime) {
    const std::array<struct timespec, 2> times{{mtime, mtime}};
    REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0);
}

/// Some program writes to a blob in place.
void scribble(const fs::path& blob, std::string_view content) {
    fs::permissions(blob, fs::perms::owner_write, fs::perm_options::add);
    std::fstream{blob, std::ios::in | std::ios::out} << content;
}

const auto file = entry("a", "right");
const auto large = entry("b", "right and large", true);

} // namespace

TEST_CASE("an existing cache is adopted: unverified first, trusted once hashed") {
    StoreFixture f;
    const auto blob = f.repo() / "blobs" / file.etag();
    write(blob, "right");
    for (int start = 0; start < 2; ++start) {
        const auto left = f.bring_in(model, commit_a, {file});
        CHECK(left.missing.empty());
        REQUIRE(left.unverified.size() == 1);
        CHECK(left.unverified[0].path == "a");
        CHECK_FALSE(f.held(model, file));
        CHECK_FALSE(fs::exists(f.store().snapshot_path(model, commit_a)));
        f.reopen();
    }
    CHECK(f.verify(model, file));
    CHECK(f.held(model, file));
    const auto left = f.bring_in(model, commit_a, {file});
    CHECK(left.unverified.empty());
    CHECK(read(f.store().snapshot_path(model, commit_a) / "a") == "right");
    f.reopen();
    CHECK(f.held(model, file));
}

TEST_CASE("a wrong blob is removed, and who has it open keeps it") {
    StoreFixture f;
    const auto blob = f.repo() / "blobs" / large.etag();
    write(blob, "wrong but large");
    REQUIRE(fs::file_size(blob) == large.size);
    CHECK(f.bring_in(model, commit_a, {large}).unverified.size() == 1);
    std::ifstream reader{blob};
    CHECK_FALSE(f.verify(model, large));
    CHECK_FALSE(fs::exists(blob));
    CHECK(std::string{std::istreambuf_iterator<char>{reader}, {}} == "wrong but large");
    CHECK(f.bring_in(model, commit_a, {large}).missing.size() == 1);
    CHECK_FALSE(f.verify(model, large)); // gone is not right either
}

TEST_CASE("a blob of the wrong size is not held, and removed without hashing") {
    StoreFixture f;
    const auto blob = f.repo() / "blobs" / file.etag();
    write(blob, "right, and more");
    CHECK_FALSE(f.held(model, file));
    CHECK(f.bring_in(model, commit_a, {file}).unverified.size() == 1);
    CHECK_FALSE(f.verify(model, file));
    CHECK_FALSE(fs::exists(blob));
}

TEST_CASE("a file larger than one slice is hashed to its end") {
    StoreFixture f;
    std::string content(70 << 20, 'x');
    content.back() = 'y';
    const auto huge = entry("huge", content, true);
    const auto blob = f.repo() / "blobs" / huge.etag();
    write(blob, content);
    CHECK(f.verify(model, huge));
    scribble(blob, std::string(1, 'z'));
    CHECK_FALSE(f.verify(model, huge));
}

TEST_CASE("what was written to is unverified again") {
    StoreFixture f;
    f.publish(model, file, "right");
    const auto blob = f.repo() / "blobs" / file.etag();
    const auto before = stat_of(blob);

    SUBCASE("with another time") {
        scribble(blob, "wrong");
    }
    SUBCASE("with another size") {
        fs::permissions(blob, fs::perms::owner_write, fs::perm_options::add);
        std::ofstream{blob, std::ios::app} << "!";
        set_mtime(blob, before.st_mtim);
    }
    SUBCASE("another file of the same look") {
        write(f.cache() / "new", "wrong");
        set_mtime(f.cache() / "new", before.st_mtim);
        fs::rename(f.cache() / "new", blob);
    }
    CHECK_FALSE(f.held(model, file));
    CHECK(f.bring_in(model, commit_a, {file}).unverified.size() == 1);
    CHECK_FALSE(f.verify(model, file));
    CHECK_FALSE(fs::exists(blob));
}

TEST_CASE("a blob that was only touched is right again after hashing") {
    StoreFixture f;
    f.publish(model, file, "right");
    set_mtime(f.repo() / "blobs" / file.etag(), {1, 0});
    CHECK_FALSE(f.held(model, file));
    CHECK(f.verify(model, file));
    CHECK(f.held(model, file));
}

TEST_CASE("a removed blob is missing, and its row does not disturb") {
    StoreFixture f;
    f.publish(model, file, "right");
    fs::remove(f.repo() / "blobs" / file.etag());
    CHECK(f.bring_in(model, commit_a, {file}).missing.size() == 1);
    CHECK(f.bring_in(other, commit_a, {file}).missing.size() == 1);
    f.publish(model, file, "right");
    CHECK(f.held(model, file));
}

TEST_CASE("a lost catalogue is made again from the disk") {
    StoreFixture f;
    f.publish(model, file, "right");
    f.bring_in(other, commit_a, {file}); // linked: one inode, two names
    f.publish(model, large, "right and large");
    f.close();
    SUBCASE("deleted") {
        fs::remove_all(f.state());
    }
    SUBCASE("damaged") {
        for (const auto& part : fs::directory_iterator{f.state()}) {
            fs::resize_file(part.path(), 0);
            std::ofstream{part.path()} << std::string(50'000, 'x');
        }
    }
    const wharf::hub::RepoId third{wharf::hub::RepoType::space, "org/third"};
    CHECK(f.bring_in(model, commit_a, {file, large}).unverified.size() == 2);
    // Known from the disk alone, in a repo that was not asked about.
    CHECK(f.bring_in(third, commit_a, {large}).unverified.size() == 1);
    CHECK(f.verify(model, file));
    CHECK(f.held(other, file)); // the same inode: hashed once
    CHECK(f.verify(third, large));
    CHECK(f.bring_in(third, commit_a, {large, file}).missing.empty());
    CHECK(stat_of(f.repo() / "blobs" / file.etag()).st_nlink == 3);
}

TEST_CASE("of several files of one name the right one is found") {
    StoreFixture f;
    write(f.repo() / "blobs" / file.etag(), "wrong");
    write(f.other_repo() / "blobs" / file.etag(), "right");
    CHECK(f.bring_in(model, commit_a, {file}).unverified.size() == 1);
    CHECK(f.verify(model, file));
    CHECK_FALSE(fs::exists(f.repo() / "blobs" / file.etag()));
    const auto left = f.bring_in(model, commit_a, {file});
    CHECK(left.unverified.empty());
    CHECK(left.missing.empty());
    CHECK(read(f.store().snapshot_path(model, commit_a) / "a") == "right");
}

TEST_CASE("a verified blob takes the place of an unverified one") {
    StoreFixture f;
    f.publish(other, file, "right");
    write(f.repo() / "blobs" / file.etag(), "wrong");
    const auto left = f.bring_in(model, commit_a, {file});
    CHECK(left.missing.empty());
    CHECK(left.unverified.empty());
    CHECK(read(f.repo() / "blobs" / file.etag()) == "right");
}

TEST_CASE("a listing that gives a right blob another size is not served") {
    StoreFixture f;
    f.publish(model, file, "right");
    auto lie = file;
    lie.size = 6;
    CHECK_FALSE(f.held(model, lie));
    CHECK(f.bring_in(model, commit_a, {lie}).missing.size() == 1);
    CHECK(f.bring_in(other, commit_a, {lie}).missing.size() == 1);
    CHECK(f.held(model, file));
}

TEST_CASE("blobs that the official client shares by link are verified and copied") {
    StoreFixture f;
    const auto shared = f.cache() / "blobs/ab/xet";
    write(shared, "right");
    fs::create_directories(f.repo() / "blobs");
    fs::create_symlink("../../blobs/ab/xet", f.repo() / "blobs" / file.etag());
    CHECK(f.bring_in(model, commit_a, {file}).unverified.size() == 1);
    CHECK(f.verify(model, file));
    CHECK(f.bring_in(model, commit_a, {file}).unverified.empty());
    CHECK(read(f.store().snapshot_path(model, commit_a) / "a") == "right");
    // Another repo gets a file of its own: the shared one is the official client's to remove.
    CHECK(f.bring_in(other, commit_a, {file}).missing.empty());
    const auto copy = f.other_repo() / "blobs" / file.etag();
    CHECK(fs::is_regular_file(fs::symlink_status(copy)));
    CHECK(mode(copy) == 0444);
    CHECK(f.held(other, file));
    CHECK(read(f.store().snapshot_path(other, commit_a) / "a") == "right");
    CHECK(fs::is_empty(f.staging()));
}

TEST_CASE("a wrong shared blob loses its link, not the shared file") {
    StoreFixture f;
    const auto shared = f.cache() / "blobs/ab/xet";
    write(shared, "wrong");
    fs::create_directories(f.repo() / "blobs");
    fs::create_symlink("../../blobs/ab/xet", f.repo() / "blobs" / file.etag());
    CHECK_FALSE(f.verify(model, file));
    CHECK(read(shared) == "wrong");
    CHECK_FALSE(fs::is_symlink(f.repo() / "blobs" / file.etag()));
}

TEST_CASE("publishing replaces what was there") {
    StoreFixture f;
    write(f.repo() / "blobs" / file.etag(), "wrong");
    f.publish(model, file, "right");
    CHECK(f.held(model, file));
    CHECK(read(f.repo() / "blobs" / file.etag()) == "right");
}
