#include "daemon/config_keys.hpp"
#include "daemon/config_read.hpp"
#include "daemon/process.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <pwd.h>
#include <unistd.h>

// Where one person's things are: the XDG base directory specification for our own folders, the
// official client's rules for the cache and the endpoint, so that what was there is adopted.

namespace wharf {

namespace {

namespace fs = std::filesystem;

fs::path home_directory(const Environment& environment) {
    if (const auto home = environment("HOME"); home && fs::path{*home}.is_absolute()) {
        return *home;
    }
    if (const auto* entry = ::getpwuid(::getuid())) { // start-up: no other thread runs yet
        return entry->pw_dir;
    }
    throw Error{ErrorKind::invalid_request, "HOME is not set", "set it to your home directory"};
}

/// An XDG folder. The specification tells to ignore relative values.
fs::path xdg(const Environment& environment, const std::string& name, const fs::path& otherwise) {
    const auto value = environment(name);
    return value && fs::path{*value}.is_absolute() ? fs::path{*value} : otherwise;
}

/// Replaces $NAME and ${NAME}; names without a value stay as they are, as in the official client.
std::string expand_variables(std::string_view text, const Environment& environment) {
    constexpr std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    std::string out;
    while (!text.empty()) {
        const bool braces = text.starts_with("${");
        const std::size_t begin = braces ? 2 : 1;
        const auto end = std::min(text.find_first_not_of(letters, begin), text.size());
        const bool variable = text.front() == '$' && end > begin &&
                              (!braces || (end < text.size() && text[end] == '}'));
        const auto value =
            variable ? environment(std::string{text.substr(begin, end - begin)}) : std::nullopt;
        const std::size_t used = value ? end + (braces ? 1 : 0) : 1;
        out += value ? *value : std::string{text.front()};
        text.remove_prefix(used);
    }
    return out;
}

/// A folder from one of the official client's variables: "~" and variables are expanded, and a
/// relative one is meant from where we were started.
fs::path official(std::string_view value, const Environment& environment) {
    std::string text{value};
    if (text == "~" || text.starts_with("~/")) {
        text.replace(0, 1, home_directory(environment).native());
    }
    return fs::absolute(expand_variables(text, environment)).lexically_normal();
}

fs::path official_cache(const Environment& environment) {
    for (const auto* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
        if (const auto value = environment(name)) {
            return official(*value, environment);
        }
    }
    if (const auto value = environment("HF_HOME")) {
        return official(*value, environment) / "hub";
    }
    const auto base = environment("XDG_CACHE_HOME").value_or("~/.cache");
    return official(base, environment) / "huggingface" / "hub";
}

/// `/tmp` is everybody's: without a folder that is provably ours, somebody else could answer there.
fs::path runtime_directory(const Environment& environment) {
    const auto given = xdg(environment, "XDG_RUNTIME_DIR", {});
    if (!given.empty()) {
        return given / "wharf";
    }
    const fs::path own = fmt::format("/tmp/wharf-{}", ::getuid());
    ensure_private_directory(own);
    return own;
}

fs::path own_file(const Environment& environment) {
    const auto base = xdg(environment, "XDG_CONFIG_HOME", home_directory(environment) / ".config");
    return base / "wharf" / "wharfd.toml";
}

} // namespace

Environment process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value && *value ? std::optional<std::string>{value} : std::nullopt;
    };
}

Config Config::user_defaults(const Environment& environment) {
    const auto home = home_directory(environment);
    Config config;
    config.daemon.socket = runtime_directory(environment) / "wharfd.sock";
    config.daemon.state_dir = xdg(environment, "XDG_STATE_HOME", home / ".local/state") / "wharf";
    config.cache.dir = official_cache(environment);
    config.cache.lock_files = true; // other programs of the same person write there, too
    config.access.rules = {.allow = {}, .download = {}, .admin = {}}; // this person alone
    config.cache.listable = true; // who may look into somebody's home was decided there
    if (const auto endpoint = environment("HF_ENDPOINT")) {
        const auto set =
            config::assign(*config::find_key("hub", "endpoint"), config, *endpoint, {});
        if (!set) {
            throw set.error().with_context("HF_ENDPOINT");
        }
    }
    return config;
}

Config Config::load_user(const std::optional<fs::path>& file, const Environment& environment) {
    auto defaults = user_defaults(environment);
    const auto chosen = file.value_or(own_file(environment));
    std::error_code none;
    if (!file && !fs::exists(chosen, none)) {
        return defaults;
    }
    return config::read_file(chosen, std::move(defaults), home_directory(environment));
}

} // namespace wharf
