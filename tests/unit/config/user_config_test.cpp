#include "daemon/config.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <unistd.h>

using wharf::Config;
using wharf::Environment;
namespace fs = std::filesystem;

namespace {

/// An environment of our own, with the two variables that every case needs.
Environment with(std::map<std::string, std::string> variables) {
    variables.emplace("HOME", "/home/ann");
    variables.emplace("XDG_RUNTIME_DIR", "/run/user/7");
    return [variables](const std::string& name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional{found->second};
    };
}

fs::path cache(std::map<std::string, std::string> variables) {
    return Config::user_defaults(with(std::move(variables))).cache.dir;
}

} // namespace

TEST_CASE("one person's folders, with nothing but a home") {
    const auto config = Config::user_defaults(with({}));
    CHECK(config.daemon.socket == "/run/user/7/wharf/wharfd.sock");
    CHECK(config.daemon.state_dir == "/home/ann/.local/state/wharf");
    CHECK(config.cache.dir == "/home/ann/.cache/huggingface/hub");
    CHECK(config.cache.lock_files);
    CHECK(config.cache.listable);
    CHECK(config.access.rules.allow == wharf::access::Accounts{});
    CHECK(config.access.rules.admin == wharf::access::Accounts{});
    CHECK(config.hub == Config::Hub{});
    CHECK(config.transfer == Config::Transfer{});
}

TEST_CASE("XDG folders are used when they are absolute") {
    CHECK(Config::user_defaults(with({{"XDG_STATE_HOME", "/s"}})).daemon.state_dir == "/s/wharf");
    CHECK(Config::user_defaults(with({{"XDG_STATE_HOME", "s"}})).daemon.state_dir ==
          "/home/ann/.local/state/wharf");
}

TEST_CASE("the cache is where the official client has it") {
    CHECK(cache({{"XDG_CACHE_HOME", "/c"}}) == "/c/huggingface/hub");
    CHECK(cache({{"XDG_CACHE_HOME", "~/c"}}) == "/home/ann/c/huggingface/hub");
    CHECK(cache({{"HF_HOME", "/h"}, {"XDG_CACHE_HOME", "/c"}}) == "/h/hub");
    CHECK(cache({{"HF_HOME", "~"}}) == "/home/ann/hub");
    CHECK(cache({{"HUGGINGFACE_HUB_CACHE", "/old"}, {"HF_HOME", "/h"}}) == "/old");
    CHECK(cache({{"HF_HUB_CACHE", "/new"}, {"HUGGINGFACE_HUB_CACHE", "/old"}}) == "/new");
    CHECK(cache({{"HF_HUB_CACHE", "/new/../x/"}}).lexically_relative("/x") == ".");
    CHECK(cache({{"HF_HUB_CACHE", "here"}}) == fs::current_path() / "here");
}

TEST_CASE("variables in the official client's folders are expanded as it does") {
    CHECK(cache({{"HF_HOME", "$SCRATCH/hf"}, {"SCRATCH", "/fast"}}) == "/fast/hf/hub");
    CHECK(cache({{"HF_HOME", "/a/${WHO}x/$WHO"}, {"WHO", "ann"}}) == "/a/annx/ann/hub");
    CHECK(cache({{"HF_HOME", "/a/$NOBODY/${NOBODY}"}}) == "/a/$NOBODY/${NOBODY}/hub");
    CHECK(cache({{"HF_HOME", "/a$/${WHO"}, {"WHO", "ann"}}) == "/a$/${WHO/hub");
    CHECK(cache({{"HF_HOME", "~ann/x"}}) == fs::current_path() / "~ann/x/hub");
}

TEST_CASE("the endpoint is the official client's, checked") {
    const auto config = Config::user_defaults(with({{"HF_ENDPOINT", "http://localhost:9/hf/"}}));
    CHECK(config.hub.endpoint == "http://localhost:9/hf");
    try {
        Config::user_defaults(with({{"HF_ENDPOINT", "localhost"}}));
        FAIL("was taken");
    } catch (const wharf::Error& error) {
        CHECK(error.kind() == wharf::ErrorKind::invalid_request);
        CHECK(error.message().starts_with("HF_ENDPOINT: "));
    }
}

TEST_CASE("the person's own file changes the defaults") {
    const wharf::test::TempDir folder;
    const auto environment = with({{"XDG_CONFIG_HOME", folder.path().string()}});
    CHECK(Config::load_user({}, environment) == Config::user_defaults(environment));

    fs::create_directory(folder / "wharf");
    std::ofstream{folder / "wharf/wharfd.toml"} << "[cache]\ndir = \"~/models\"\n";
    const auto config = Config::load_user({}, environment);
    CHECK(config.cache.dir == "/home/ann/models");
    CHECK(config.cache.lock_files);
    CHECK(config.daemon.socket == "/run/user/7/wharf/wharfd.sock");

    std::ofstream{folder / "other.toml"} << "[cache]\nlock_files = false\n";
    const auto other = Config::load_user(folder / "other.toml", environment);
    CHECK(other.cache.dir == "/home/ann/.cache/huggingface/hub");
    CHECK_FALSE(other.cache.lock_files);
    CHECK_THROWS_AS(Config::load_user(folder / "missing.toml", environment), wharf::Error);
}

TEST_CASE("the file is looked for in the home directory where XDG names no other place") {
    const wharf::test::TempDir home;
    fs::create_directories(home / ".config/wharf");
    std::ofstream{home / ".config/wharf/wharfd.toml"} << "[daemon]\nmax_clients = 5\n";
    const auto config = Config::load_user({}, with({{"HOME", home.path().string()}}));
    CHECK(config.daemon.max_clients == 5);
}

TEST_CASE("without a runtime folder the socket is in one that is ours alone") {
    const auto environment = [](const std::string& name) -> std::optional<std::string> {
        return name == "HOME" ? std::optional<std::string>{"/home/ann"} : std::nullopt;
    };
    const fs::path folder = "/tmp/wharf-" + std::to_string(::getuid());
    const auto config = Config::user_defaults(environment);
    CHECK(config.daemon.socket == folder / "wharfd.sock");
    CHECK(fs::status(folder).permissions() == fs::perms::owner_all);
    std::error_code busy; // remove what we left, unless somebody uses it
    fs::remove(folder, busy);
}
