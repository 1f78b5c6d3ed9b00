#include "base/error.hpp"
#include "daemon/store/doors.hpp"
#include "tests/unit/store/fixture.hpp"

#include <fmt/format.h>

#include <acl/libacl.h>
#include <algorithm>
#include <fcntl.h>
#include <functional>
#include <grp.h>
#include <sys/acl.h>
#include <sys/wait.h>
#include <unistd.h>

// Who may read what, asked of the kernel by processes of other accounts. Needs root to be one; says
// so where it is not.

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Error;
using wharf::ErrorKind;
using wharf::UniqueFd;
using wharf::store::Directory;
using wharf::store::Doors;
using wharf::store::Readers;

namespace {

constexpr uid_t alice = 40'001;
constexpr uid_t bob = 40'002;

const auto file = entry("sub/a", "right");

bool can_be_others() {
    if (::geteuid() != 0) {
        MESSAGE("not run: only root can be somebody else");
    }
    return ::geteuid() == 0;
}

/// Whether `action` is true for a process of that account and group, without any privilege.
bool as(uid_t uid, const std::function<bool()>& action, gid_t gid = 40'000) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const bool became =
            ::setgroups(0, nullptr) == 0 && ::setgid(gid) == 0 && ::setuid(uid) == 0;
        ::_exit(!became ? 2 : action() ? 0 : 1);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) != 2);
    return WEXITSTATUS(status) == 0;
}

bool reads(uid_t uid, const fs::path& path) {
    return as(uid, [&] { return read(path) == "right"; });
}

/// The temporary folder itself lets everybody pass.
struct Walls : StoreFixture {
    Walls() { fs::permissions(cache().parent_path(), fs::perms{0711}); }

    void set(const wharf::hub::RepoId& repo, Readers readers) {
        run(store().set_readers(repo, std::move(readers)));
    }
    fs::path bring(const wharf::hub::RepoId& repo) {
        bring_in(repo, commit_a, {file});
        return store().snapshot_path(repo, commit_a) / file.path;
    }
    std::string content(const wharf::hub::RepoId& repo, const std::string& path) {
        const UniqueFd fd = get(store().open_file(repo, commit_a, path));
        std::string bytes(100, '\0');
        const auto count = ::read(fd.value(), bytes.data(), bytes.size());
        bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return bytes;
    }
    ErrorKind refusal(const wharf::hub::RepoId& repo, const std::string& path) {
        try {
            get(store().open_file(repo, commit_a, path));
        } catch (const Error& error) {
            return error.kind();
        }
        FAIL("opened");
        return {};
    }
};

const Readers everyone{.everyone = true, .uids = {}};
const Readers nobody{};

} // namespace

TEST_CASE("a repo is closed until it is opened, and opens to those who may read it") {
    Walls f;
    if (!can_be_others()) {
        return;
    }
    f.publish(model, file, "right");
    const auto path = f.bring(model);
    const auto blob = f.repo() / "blobs" / file.etag();
    CHECK(mode(f.repo()) == 0700);
    CHECK_FALSE(reads(alice, path));

    f.set(model, {.everyone = false, .uids = {alice}});
    CHECK(reads(alice, path));
    CHECK(reads(alice, blob));
    CHECK_FALSE(reads(bob, path));
    CHECK_FALSE(reads(bob, blob));
    CHECK_FALSE(as(
        bob, [&] { return ::access(path.c_str(), F_OK) == 0; }, ::getegid())); // the folder's group

    f.set(model, {.everyone = false, .uids = {bob}});
    CHECK_FALSE(reads(alice, path));
    CHECK(reads(bob, path));

    f.set(model, everyone);
    CHECK(reads(alice, path));
    CHECK(mode(f.repo()) == 0755);

    f.set(model, nobody);
    CHECK(mode(f.repo()) == 0700);
    CHECK_FALSE(reads(bob, path));
}

TEST_CASE("one blob in a public and a restricted repo is read by way of the public one") {
    Walls f;
    f.publish(model, file, "right");
    const auto restricted = f.bring(model);
    const auto open = f.bring(other); // by hard link
    f.set(model, {.everyone = false, .uids = {alice}});
    f.set(other, everyone);
    const auto blob = f.other_repo() / "blobs" / file.etag();
    REQUIRE(stat_of(blob).st_ino == stat_of(f.repo() / "blobs" / file.etag()).st_ino);
    CHECK(mode(blob) == 0444);
    if (can_be_others()) {
        CHECK(reads(bob, open));
        CHECK_FALSE(reads(bob, restricted));
        CHECK(reads(alice, restricted));
        f.set(model, nobody);
        CHECK(reads(alice, open));
        CHECK_FALSE(reads(alice, restricted));
    }
}

TEST_CASE("which accounts can go by path is known") {
    Walls f;
    CHECK(f.store().has_acls());
    CHECK_FALSE(f.store().path_is_open_to(model, alice));
    CHECK(f.store().path_is_open_to(model, ::geteuid()));
    f.set(model, {.everyone = false, .uids = {alice}});
    CHECK(f.store().path_is_open_to(model, alice));
    CHECK_FALSE(f.store().path_is_open_to(model, bob));
    f.set(model, everyone);
    CHECK(f.store().path_is_open_to(model, bob));
    f.set(model, nobody);
    CHECK_FALSE(f.store().path_is_open_to(model, alice));
    f.set(model, everyone);
    fs::permissions(f.cache(), fs::perms{0700});
    f.reopen();
    f.set(model, everyone);
    CHECK_FALSE(f.store().path_is_open_to(model, alice)); // nobody gets as far as the door
}

TEST_CASE("who may enter is known before there is a folder, and none is made for that") {
    Walls f;
    f.set(other, nobody);
    f.set(model, everyone);
    CHECK(f.get(f.store().repos()).empty());
    CHECK(f.store().path_is_open_to(model, alice));
    f.publish(model, file, "right");
    CHECK(mode(f.repo()) == 0700);
    f.bring(model);
    CHECK(mode(f.repo()) == 0755);
    CHECK(f.get(f.store().repos()) == std::vector{model});
}

TEST_CASE("what is as it should be is left alone") {
    Walls f;
    const Readers readers{.everyone = false, .uids = {alice, bob}};
    f.publish(model, file, "right");
    f.set(model, readers);
    const auto before = stat_of(f.repo());
    f.set(model, readers);
    f.reopen();
    f.set(model, readers);
    f.set(other, everyone);
    const auto after = stat_of(f.repo());
    CHECK(before.st_ctim.tv_sec == after.st_ctim.tv_sec);
    CHECK(before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

TEST_CASE("a repo that was removed, or whose rights somebody changed, opens as before") {
    Walls f;
    f.publish(model, file, "right");
    f.set(model, everyone);
    SUBCASE("removed") {
        fs::remove_all(f.repo());
        f.publish(model, file, "right");
        CHECK(mode(f.repo()) == 0700);
    }
    SUBCASE("closed") {
        fs::permissions(f.repo(), fs::perms{0700});
    }
    f.bring(model);
    CHECK(mode(f.repo()) == 0755);
}

TEST_CASE("whatever the cache would hand down, a new repo is closed") {
    Walls f;
    f.store();
    const std::unique_ptr<std::remove_pointer_t<acl_t>, decltype(&::acl_free)> acl{
        ::acl_from_text("u::rwx,g::rwx,o::rwx,u:40002:rwx,m::rwx"), &::acl_free};
    REQUIRE(::acl_set_file(f.cache().c_str(), ACL_TYPE_DEFAULT, acl.get()) == 0);
    ::chmod(f.cache().c_str(), 02711);
    const auto before = ::umask(0);
    f.publish(model, file, "right");
    const auto path = f.bring(model);
    f.finish(model, commit_a, "main");
    ::umask(before);
    CHECK(mode(f.repo()) == 0700);
    CHECK(mode(f.repo() / "blobs" / file.etag()) == 0444);
    f.set(model, {.everyone = false, .uids = {alice}});
    if (can_be_others()) {
        CHECK(reads(alice, path));
        CHECK_FALSE(reads(bob, path));
    }
    for (const auto& item : fs::recursive_directory_iterator{f.repo()}) {
        CAPTURE(item.path());
        if (!item.is_symlink()) {
            CHECK((mode(item.path()) & 0022) == 0);
            CHECK(::acl_extended_file_nofollow(item.path().c_str()) == 0);
        }
    }
}

TEST_CASE("more accounts than an ACL holds: as many as fit, and it is known who") {
    Walls f;
    std::set<uid_t> uids;
    for (uid_t uid = 50'000; uid < 59'000; ++uid) {
        uids.insert(uid);
    }
    f.set(model, {.everyone = false, .uids = uids});
    f.publish(model, file, "right");
    const auto path = f.bring(model);
    const auto let_in = [&](uid_t uid) { return f.store().path_is_open_to(model, uid); };
    const auto count = std::ranges::count_if(uids, let_in);
    CHECK(count >= 20);
    CHECK(count < 9'000);
    CHECK(let_in(50'000));
    if (can_be_others()) {
        CHECK(reads(50'000, path));
        CHECK(reads(50'000 + static_cast<uid_t>(count) - 1, path));
        CHECK_FALSE(reads(50'000 + static_cast<uid_t>(count), path));
        CHECK_FALSE(reads(bob, path));
    }
    f.set(model, {.everyone = false, .uids = {bob}});
    CHECK_FALSE(let_in(50'000));
    CHECK(let_in(bob));
}

TEST_CASE("without ACLs restricted repos stay closed") {
    const TempDir dir;
    const Directory cache{dir.path(), 0700};
    fs::create_directory(dir / "models--a");
    Doors doors{cache, false, false};
    CHECK(doors.set("models--a", {.everyone = false, .uids = {alice}}) == nobody);
    CHECK(mode(dir / "models--a") == 0700);
    CHECK(doors.set("models--a", everyone) == everyone);
    CHECK(mode(dir / "models--a") == 0755);
}

TEST_CASE("somebody else's folder is not ours to guard") {
    const TempDir dir;
    if (!can_be_others()) {
        return;
    }
    const auto folder = dir / "models--a";
    fs::create_directory(folder);
    REQUIRE(::chown(folder.c_str(), alice, alice) == 0);
    const Directory cache{dir.path(), 0700};
    SUBCASE("refused, if it must be guarded") {
        Doors doors{cache, true, false};
        CHECK_THROWS_AS(doors.set("models--a", {.everyone = false, .uids = {bob}}), Error);
    }
    SUBCASE("left alone in a cache that is shared") {
        Doors doors{cache, true, true};
        CHECK(doors.set("models--a", {.everyone = false, .uids = {bob}}) == nobody);
    }
    SUBCASE("left alone when there is nobody to let in, or everybody") {
        Doors doors{cache, true, false};
        CHECK(doors.set("models--a", nobody) == nobody);
        CHECK(doors.set("models--a", everyone) == nobody);
    }
    CHECK(mode(folder) == 0755);
}

TEST_CASE("a door that is a link is refused") {
    Walls f;
    fs::create_directories(f.outside());
    const auto before = mode(f.outside());
    f.store();
    fs::create_directory_symlink(f.outside(), f.repo());
    CHECK_THROWS_AS(f.set(model, everyone), Error);
    CHECK_THROWS_AS(f.set(model, nobody), Error);
    CHECK(mode(f.outside()) == before);
}

TEST_CASE("repos are those with a folder of such a name") {
    Walls f;
    f.publish(model, file, "right");
    f.publish(other, file, "right");
    f.publish({wharf::hub::RepoType::model, "gpt2"}, file, "right");
    for (const auto* odd : {"models--a--b--c", "models--", "tokens--a", "models--a--b.git"}) {
        fs::create_directory(f.cache() / odd);
    }
    auto repos = f.get(f.store().repos());
    std::ranges::sort(repos);
    CHECK(repos ==
          std::vector{wharf::hub::RepoId{wharf::hub::RepoType::model, "gpt2"}, model, other});
}

TEST_CASE("a file is handed out by descriptor, to whomever it is sent") {
    Walls f;
    f.publish(model, file, "right");
    f.bring(model);
    CHECK(f.content(model, file.path) == "right");
    const UniqueFd fd = f.get(f.store().open_file(model, commit_a, file.path));
    if (can_be_others()) {
        const auto again = fmt::format("/proc/self/fd/{}", fd.value());
        CHECK(as(bob, [&] {
            std::string bytes(5, '\0');
            return ::pread(fd.value(), bytes.data(), 5, 0) == 5 && bytes == "right";
        }));
        CHECK_FALSE(as(bob, [&] { return ::write(fd.value(), "x", 1) == 1; }));
        CHECK_FALSE(as(bob, [&] { return ::fchmod(fd.value(), 0666) == 0; }));
        CHECK_FALSE(as(bob, [&] { return ::open(again.c_str(), O_RDWR) >= 0; }));
    }
}

TEST_CASE("what is not there cannot be opened, and nothing else is in its place") {
    Walls f;
    f.publish(model, file, "right");
    const auto path = f.bring(model);
    write(f.outside() / "secret", "secret");
    for (const auto* absent : {"sub/b", "b", "no/a", "../a", "/etc/passwd", "", "sub"}) {
        CAPTURE(absent);
        const auto kind = f.refusal(model, absent);
        CHECK((kind == ErrorKind::file_not_found || std::string{absent} == "sub"));
    }
    CHECK(f.refusal(other, file.path) == ErrorKind::file_not_found);
    const auto blob = f.repo() / "blobs" / file.etag();
    SUBCASE("a link to elsewhere") {
        fs::remove(path);
        fs::create_symlink(f.outside() / "secret", path);
    }
    SUBCASE("a link out, in the form of a pointer") {
        fs::remove(path);
        fs::create_symlink("../../../blobs/../../../outside/secret", path);
    }
    SUBCASE("a pointer that goes another way to a blob") {
        fs::remove(path);
        fs::create_symlink("../../../../models--org--name/blobs/" + file.etag(), path);
    }
    SUBCASE("a file") {
        fs::remove(path);
        write(path, "right");
    }
    SUBCASE("a folder that is a link") {
        fs::rename(path.parent_path(), f.outside() / "sub");
        fs::create_directory_symlink(f.outside() / "sub", path.parent_path());
    }
    SUBCASE("no blob") {
        fs::remove(blob);
    }
    SUBCASE("a blob that was written to") {
        fs::permissions(blob, fs::perms{0644});
        write(blob, "wrong");
    }
    SUBCASE("a blob that leads out of the cache") {
        fs::remove(blob);
        fs::create_symlink("../../../outside/secret", blob);
    }
    CHECK(f.refusal(model, file.path) == ErrorKind::storage);
}

TEST_CASE("a link among the blobs leads to another repo only if this account made it") {
    Walls f;
    f.publish(other, file, "right");
    f.publish(model, file, "right");
    f.bring(model);
    const auto blob = f.repo() / "blobs" / file.etag();
    fs::remove(blob);
    fs::create_symlink("../../datasets--org--data/blobs/" + file.etag(), blob);
    CHECK(f.content(model, file.path) == "right");
    if (can_be_others()) {
        REQUIRE(::lchown(blob.c_str(), bob, bob) == 0);
        CHECK(f.refusal(model, file.path) == ErrorKind::storage);
    }
}
