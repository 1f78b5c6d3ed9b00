#include "client/lib/trust.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

using wharf::client::Environment;
using wharf::client::is_trusted;

namespace {

Environment with(std::map<std::string, std::string> variables) {
    return [variables](std::string_view name) -> std::optional<std::string> {
        const auto found = variables.find(std::string{name});
        return found == variables.end() ? std::nullopt : std::optional{found->second};
    };
}

} // namespace

TEST_CASE("root and the user himself are trusted wherever they listen, others are not") {
    const Environment none = with({});
    CHECK(is_trusted(0, "/tmp/x.sock", none));
    CHECK(is_trusted(::geteuid(), "/tmp/x.sock", none));
    CHECK_FALSE(is_trusted(::geteuid() + 1, "/tmp/x.sock", none));
    CHECK_FALSE(is_trusted(::geteuid() + 1, "/run/wharfd.sock", none));
    CHECK_FALSE(is_trusted(::geteuid() + 1, "x.sock", none));
}

TEST_CASE("another account is trusted where the user names it") {
    const uid_t other = ::geteuid() + 1;
    const auto number = std::to_string(other);
    CHECK(is_trusted(other, "/tmp/x", with({{"WHARF_DAEMON_USER", number}})));
    CHECK_FALSE(is_trusted(other + 1, "/tmp/x", with({{"WHARF_DAEMON_USER", number}})));
    CHECK_FALSE(is_trusted(other, "/tmp/x", with({{"WHARF_DAEMON_USER", "root"}})));
}

TEST_CASE("another account is trusted in its own folder below /run, and not deeper") {
    if (::geteuid() != 0) {
        MESSAGE("only root can give folders away: skipped");
        return;
    }
    constexpr uid_t other = 40'000;
    const wharf::test::TempDir dir;
    const auto run = dir.path().native();
    const auto give = [](const std::filesystem::path& folder) {
        std::filesystem::create_directories(folder);
        REQUIRE(::chown(folder.c_str(), other, other) == 0);
    };
    give(dir.path() / "wharf");
    give(dir.path() / "user" / "40000");
    std::filesystem::create_directory_symlink(dir.path() / "user" / "40000", dir.path() / "link");
    const Environment none = with({});
    CHECK(is_trusted(other, run + "/wharf/wharfd.sock", none, run));
    CHECK(is_trusted(other, run + "//wharf/./wharfd.sock", none, run));
    CHECK_FALSE(is_trusted(other + 1, run + "/wharf/wharfd.sock", none, run));
    CHECK_FALSE(is_trusted(other, run + "/user/40000/wharfd.sock", none, run));
    CHECK_FALSE(is_trusted(other, run + "/user/wharfd.sock", none, run));
    CHECK_FALSE(is_trusted(other, run + "/link/wharfd.sock", none, run));
    CHECK_FALSE(is_trusted(other, run + "/wharf/../wharfd.sock", none, run));
    CHECK_FALSE(is_trusted(other, run + "/wharf/wharfd.sock", none, "/run"));
}
