#include "base/scope_exit.hpp"
#include "daemon/store/file_system.hpp"
#include "daemon/store/folders.hpp"
#include "daemon/store/partials.hpp"
#include "tests/unit/store/fixture.hpp"

#include <cstdlib>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

// What only another file system can show. Needs the right to mount; says so where it has none.

namespace fs = std::filesystem;
using namespace wharf::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

/// A small file system in memory, mounted as long as this lives. "ramfs" knows no ACLs.
class Mount {
  public:
    Mount(fs::path where, const char* options, const char* type = "tmpfs")
        : where_{std::move(where)} {
        fs::create_directories(where_);
        mounted_ = ::mount(type, where_.c_str(), type, 0, options) == 0;
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
    const Mount mount{f.cache(), "mode=755,size=1m"};
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

TEST_CASE("some room is left for others: by default a fiftieth of a small disk") {
    const TempDir dir;
    const Mount mount{dir / "disk", "mode=755,size=10m"};
    if (!mount) {
        return;
    }
    const std::uint64_t all = std::uint64_t{10} << 20;
    const auto available = [&](std::optional<std::uint64_t> min_free) {
        return wharf::store::Space{dir / "disk", min_free}.available();
    };
    CHECK(available(0) == all);
    CHECK(available({}) == all - all / 50);
    CHECK(available(all / 2) == all / 2);
    CHECK(available(2 * all) == 0);
    try {
        wharf::store::Space{dir / "disk", std::uint64_t{4'000'000}}.require(9'000'000);
        FAIL("fits");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::no_space);
        CHECK(error.message() == "needs 9.0 MB, 10.5 MB free in " + (dir / "disk").native() +
                                     ", of which 4.0 MB are to stay free");
    }
}

TEST_CASE("on a full disk room is made of what is unfinished, and what was written stays") {
    StoreFixture f;
    const Mount mount{f.cache(), "mode=755,size=4m"};
    if (!mount) {
        return;
    }
    const std::string first(64, '1');
    const std::string second(64, '2');
    const std::string third(64, '3');
    f.get(f.store().open_partial(first, 1'500'000, piece_size));
    const auto busy = f.get(f.store().open_partial(second, 1'500'000, piece_size));
    busy->record_piece(1, 5);
    CHECK_THROWS_AS(f.get(f.store().open_partial(third, 2'000'000, piece_size)), Error);
    CHECK_THROWS_AS(f.run(f.store().publish_bytes(third, std::vector<std::byte>(2'000'000), model)),
                    Error);
    CHECK_FALSE(f.get(f.store().free_space(1'000))); // there is that much
    CHECK(f.get(f.store().free_space(2'000'000)));
    CHECK(f.get(f.store().available_bytes()) >= 2'000'000);
    f.get(f.store().open_partial(third, 2'000'000, piece_size));
    CHECK(busy->has_piece(1));
    CHECK_FALSE(fs::exists(f.staging() / (first + ".partial")));
}

TEST_CASE("a disk that fails while flushing: said once and for all, and found out on resuming") {
    const TempDir dir;
    // A file system on a disk that has no more than 6 MiB, whatever it says.
    const Mount ram{dir / "ram", "mode=755,size=6m"};
    const std::string image = (dir / "ram/image").native();
    const std::string disk = (dir / "disk").native();
    fs::create_directories(disk);
    const auto command = "truncate -s 32M " + image + " && mkfs.ext4 -q -m 0 -O ^has_journal " +
                         image + " && mount -o loop,errors=continue " + image + " " + disk +
                         " 2>/dev/null";
    if (!ram || std::system(command.c_str()) != 0) {
        MESSAGE("not run: no loop device here");
        return;
    }
    const wharf::ScopeExit unmount{[&] { ::umount2(disk.c_str(), MNT_DETACH); }};
    const auto folder = std::make_shared<wharf::store::Directory>(disk);
    wharf::store::Partials partials{folder, wharf::store::Space{disk, 0}};
    const std::string etag(64, 'e');
    constexpr std::uint64_t size = 20 << 20;
    constexpr std::uint64_t piece = 1 << 20;
    const std::vector<std::byte> data(piece, std::byte{0x5a});
    {
        const auto file = partials.open(etag, size, piece);
        for (std::size_t i = 0; i < file->piece_count(); ++i) {
            file->write_at(i * piece, data);
            file->record_piece(i, 1);
        }
        CHECK_THROWS_AS(file->sync_progress(), Error);
        CHECK_THROWS_AS(file->seal(), Error); // the kernel would say yes this time
    }
    const auto file = partials.open(etag, size, piece);
    std::size_t lost = 0;
    for (std::size_t i = 0; i < file->piece_count(); ++i) {
        std::vector<std::byte> back(piece);
        try {
            file->read_at(i * piece, back);
            lost += back == data ? 0 : 1;
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::storage);
            ++lost;
        }
    }
    CHECK(lost > 0); // not hidden by the page cache
    MESSAGE("lost " << lost << " of " << file->piece_count() << " pieces");
}

TEST_CASE("a staging folder on another file system is refused") {
    StoreFixture f;
    fs::create_directories(f.cache());
    const Mount mount{f.cache() / ".locks", "mode=755,size=1m"};
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
    const Mount mount{f.other_repo(), "mode=755,size=1m"};
    if (!mount) {
        return;
    }
    CHECK_THROWS_AS(f.publish(other, entry("b", "y"), "y"), Error);
    CHECK_THROWS_AS(f.bring_in(other, commit_a, {entry("a", "x")}), Error);
    CHECK(fs::is_empty(f.staging()));
    CHECK(f.held(model, entry("a", "x")));
}

TEST_CASE("where there are no ACLs, only public repos open, and that is known") {
    StoreFixture f;
    const Mount mount{f.cache(), "mode=755", "ramfs"};
    if (!mount) {
        return;
    }
    CHECK_FALSE(f.store().has_acls());
    CHECK(mode(f.staging()) == 0700);
    f.run(f.store().set_readers(model, {.everyone = false, .uids = {40'001}}));
    CHECK_FALSE(f.store().path_is_open_to(model, 40'001));
    f.run(f.store().set_readers(other, {.everyone = true, .uids = {}}));
    const auto file = entry("a", "right");
    f.publish(model, file, "right");
    f.bring_in(model, commit_a, {file});
    f.bring_in(other, commit_a, {file});
    CHECK(mode(f.repo()) == 0700);
    CHECK_FALSE(f.store().path_is_open_to(model, 40'001));
    CHECK(mode(f.other_repo()) == 0755);
    CHECK(f.store().path_is_open_to(other, 40'001));
    CHECK(f.get(f.store().open_file(model, commit_a, "a")).is_open());
}
