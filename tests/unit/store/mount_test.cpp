#include "daemon/store/folders.hpp"
#include "tests/unit/store/fixture.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

// What only another file system can show. Needs the right to mount; says so where it has none.

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

/// A small file system in memory, mounted as long as this lives.
class Mount {
  public:
    Mount(fs::path where, const char* options) : where_{std::move(where)} {
        fs::create_directories(where_);
        mounted_ = ::mount("tmpfs", where_.c_str(), "tmpfs", 0, options) == 0;
        if (!mounted_) {
            MESSAGE("not run: mounting is not allowed here");
        }
    }
    Mount(const Mount&) = delete;
    Mount& operator=(const Mount&) = delete;
    ~Mount() {
        if (mounted_) {
            ::umount2(where_.c_str(), MNT_DETACH);
        }
    }
    explicit operator bool() const noexcept { return mounted_; }

  private:
    fs::path where_;
    bool mounted_ = false;
};

} // namespace

TEST_CASE("a full disk is said with numbers, and leaves nothing half done") {
    StoreFixture f;
    const Mount mount{f.cache(), "size=1m"};
    if (!mount) {
        return;
    }
    const std::string etag(64, 'e');
    try {
        f.get(f.store().open_partial(etag, 2'000'000, piece_size));
        FAIL("created");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::no_space);
        CHECK(error.message().starts_with("needs 2.0 MB, 1.0 MB free in "));
    }
    const auto first = f.get(f.store().open_partial(etag, 900'000, piece_size));
    const std::string other_etag(64, 'f');
    CHECK_THROWS_AS(f.get(f.store().open_partial(other_etag, 900'000, piece_size)), Error);
    const auto rest = f.get(f.store().open_partial(other_etag, 100'000, piece_size));
    try {
        for (int i = 0; i < 100; ++i) {
            f.finish(model, commit_a, "branch-" + std::to_string(i));
        }
        FAIL("there was room");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::no_space);
    }
    CHECK(std::distance(fs::directory_iterator{f.staging()}, {}) == 4); // two files, two logs
    for (const auto& ref : fs::directory_iterator{f.repo() / "refs"}) {
        CHECK(read(ref.path()) == commit_a);
    }
}

TEST_CASE("a staging folder on another file system is refused") {
    StoreFixture f;
    fs::create_directories(f.cache());
    const Mount mount{f.cache() / ".locks", "size=1m"};
    if (!mount) {
        return;
    }
    try {
        f.store();
        FAIL("accepted");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::storage);
        CHECK(error.message().find("is on another file system than") != std::string::npos);
    }
}

TEST_CASE("a repo folder on another file system is an error that names it") {
    StoreFixture f;
    f.publish(model, entry("a", "x"), "x");
    const Mount mount{f.other_repo(), "size=1m"};
    if (!mount) {
        return;
    }
    CHECK_THROWS_AS(f.publish(other, entry("b", "y"), "y"), Error);
    CHECK_THROWS_AS(f.bring_in(other, commit_a, {entry("a", "x")}), Error);
    CHECK(fs::is_empty(f.staging()));
    CHECK(f.held(model, entry("a", "x")));
}
