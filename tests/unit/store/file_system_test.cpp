#include "daemon/store/file_system.hpp"
#include "daemon/store/folders.hpp"
#include "tests/unit/store/fixture.hpp"

#include <sys/statfs.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace wharf::store;
using wharf::Error;
using wharf::ErrorKind;
using wharf::test::TempDir;

TEST_CASE("network file systems are known by their numbers") {
    CHECK(network_file_system(0x6969) == "NFS");
    CHECK(network_file_system(0x0bd00bd0) == "Lustre");
    CHECK(network_file_system(0x47504653) == "GPFS");
    CHECK(network_file_system(0x19830326) == "BeeGFS");
    CHECK(network_file_system(0xff534d42) == "CIFS");
    CHECK(network_file_system(0xef53).empty());     // ext4
    CHECK(network_file_system(0x58465342).empty()); // XFS
    CHECK(network_file_system(0x9123683e).empty()); // btrfs
    CHECK(network_file_system_of("/proc").empty());
    CHECK_THROWS_AS(network_file_system_of("/nowhere/at/all"), Error);
}

TEST_CASE("windows into the kernel are known by their numbers") {
    struct statfs info{};
    for (const char* window : {"/proc", "/sys"}) {
        if (::statfs(window, &info) == 0) {
            CHECK(is_kernel_window(static_cast<std::uint32_t>(info.f_type)));
        }
    }
    for (const unsigned magic : {0x63677270U, 0x64626720U, 0x74726163U, 0x73636673U, 0x6165676cU}) {
        CHECK(is_kernel_window(magic)); // cgroup, debugfs, tracefs, securityfs, pstore
    }
    for (const unsigned magic : {0xef53U, 0x58465342U, 0x01021994U, 0x6969U, 0x65735546U}) {
        CHECK_FALSE(is_kernel_window(magic)); // ext4, XFS, tmpfs, NFS, FUSE
    }
}

TEST_CASE("what does not fit is refused with numbers") {
    const TempDir dir;
    const Space space{dir.path(), {}};
    space.require(0);
    space.require(1);
    try {
        space.require(std::uint64_t{1} << 60);
        FAIL("fits");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::no_space);
        CHECK(error.message().starts_with("needs 1152.9 PB, "));
        CHECK(error.message().find(" free in " + dir.path().native() + ", of which ") !=
              std::string::npos);
        CHECK(error.message().ends_with(" are to stay free"));
        CHECK(error.hint() == "free some space there, then try again");
    }
}

TEST_CASE("folders are made, and become absolute and plain") {
    const TempDir dir;
    const auto before = ::umask(077);
    fs::path cache = dir / "x/./y/cache/";
    fs::path state = dir / "state";
    prepare_cache_dir(cache);
    prepare_state_dir(state, cache);
    ::umask(before);
    CHECK(cache.native() == (dir / "x/y/cache").native());
    CHECK(wharf::test::mode(cache) == 0711);
    CHECK(wharf::test::mode(state) == 0700);
    prepare_cache_dir(cache);
}

TEST_CASE("folders that cannot be used are refused with the key to change") {
    const TempDir dir;
    wharf::test::write(dir / "file", "x");
    for (const fs::path& bad : {dir / "file", dir / "file/below"}) {
        CAPTURE(bad);
        try {
            fs::path path = bad;
            prepare_cache_dir(path);
            FAIL("used");
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::invalid_request);
            CHECK(error.message().find(bad.native()) != std::string::npos);
            CHECK(error.hint() == "set cache.dir to a folder that this user can write to");
        }
    }
    fs::path state = dir / "file";
    try {
        prepare_state_dir(state, dir / "cache");
        FAIL("used");
    } catch (const Error& error) {
        CHECK(error.hint() == "set daemon.state_dir to a folder that this user can write to");
    }
}

TEST_CASE("the state does not live in the cache") {
    const TempDir dir;
    for (const auto* name : {"cache", "cache/state", "cache/.state", "x/../cache/y"}) {
        CAPTURE(name);
        fs::path state = dir / name;
        CHECK_THROWS_AS(prepare_state_dir(state, dir / "cache"), Error);
    }
    fs::path beside = dir / "cache-state";
    prepare_state_dir(beside, dir / "cache");
    CHECK(fs::exists(beside));
}
