#include "base/error.hpp"
#include "daemon/process.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

/// Runs `check` in a child, because what it changes cannot be changed back. True if it held.
bool in_child(const std::function<bool()>& check) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::_exit(check() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool refused(const fs::path& path) {
    try {
        wharf::ensure_private_directory(path);
        return false;
    } catch (const wharf::Error& error) {
        CHECK(error.message().find(path.native()) != std::string::npos);
        return error.kind() == wharf::ErrorKind::forbidden;
    }
}

} // namespace

TEST_CASE("the limit of open descriptors becomes the hard limit") {
    CHECK(in_child([] {
        const rlimit low{.rlim_cur = 64, .rlim_max = 128};
        rlimit now{};
        return ::setrlimit(RLIMIT_NOFILE, &low) == 0 && wharf::raise_descriptor_limit() == 128 &&
               ::getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == 128 &&
               wharf::raise_descriptor_limit() == 128;
    }));
}

TEST_CASE("memory is closed to others and to core dumps") {
    CHECK(in_child([] {
        wharf::hide_memory();
        rlimit core{};
        return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 && ::getrlimit(RLIMIT_CORE, &core) == 0 &&
               core.rlim_cur == 0 && core.rlim_max == 0;
    }));
}

TEST_CASE("a private directory is created once and kept") {
    const wharf::test::TempDir folder;
    const auto path = folder / "own";
    wharf::ensure_private_directory(path);
    CHECK(fs::status(path).permissions() == fs::perms::owner_all);
    CHECK_FALSE(refused(path));
}

TEST_CASE("a directory that others could use is refused") {
    const wharf::test::TempDir folder;
    const auto path = folder / "own";
    SUBCASE("open to the group") {
        fs::create_directory(path);
        REQUIRE(::chmod(path.c_str(), 0710) == 0);
    }
    SUBCASE("a link to a private one") {
        fs::create_directory(folder / "real");
        REQUIRE(::chmod((folder / "real").c_str(), 0700) == 0);
        fs::create_symlink(folder / "real", path);
    }
    SUBCASE("owned by somebody else") {
        fs::create_directory(path);
        REQUIRE(::chmod(path.c_str(), 0700) == 0);
        if (::chown(path.c_str(), 65534, 65534) != 0) {
            return; // only root can give a directory away
        }
    }
    CHECK(refused(path));
}

TEST_CASE("a directory that cannot be created is an error of the disk") {
    const wharf::test::TempDir folder;
    try {
        wharf::ensure_private_directory(folder / "missing" / "own");
        FAIL("was created");
    } catch (const wharf::Error& error) {
        CHECK(error.kind() == wharf::ErrorKind::storage);
    }
}
