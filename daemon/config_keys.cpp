#include "daemon/config_keys.hpp"

#include "daemon/net/url.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <numeric>
#include <utility>
#include <vector>

namespace wharf::config {

namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kib = 1ULL << 10;
constexpr std::uint64_t mib = 1ULL << 20;
constexpr std::uint64_t gib = 1ULL << 30;
constexpr std::uint64_t tib = 1ULL << 40;
constexpr std::size_t longest_socket = 107; // sockaddr_un::sun_path without its NUL

Error invalid(std::string message) {
    return Error{ErrorKind::invalid_request, std::move(message)};
}

/// The Hub's base URL; may have a path prefix, as the official client allows.
Result<std::string> check_endpoint(const std::string& text) {
    const auto url = net::Url::parse(text);
    if (!url) {
        return url.error();
    }
    if (url->target.find('?') != std::string::npos || text.find('#') != std::string::npos) {
        return invalid("must have neither query nor fragment");
    }
    return text.substr(0, text.find_last_not_of('/') + 1);
}

/// Never quotes what was given: it may hold a password.
Result<std::string> check_proxy(const std::string& text) {
    constexpr std::string_view scheme = "http://";
    if (text.empty()) {
        return text;
    }
    const auto bad = invalid("must look like \"http://host:port\", with \"user:password@\" before "
                             "the host where the proxy asks for it");
    if (!text.starts_with(scheme)) {
        return bad;
    }
    const auto at = text.rfind('@');
    const auto host = text.substr(at == std::string::npos ? scheme.size() : at + 1);
    const auto url = net::Url::parse(fmt::format("{}{}", scheme, host));
    if (!url || url->target != "/") {
        return bad;
    }
    return text;
}

Result<std::string> keep(const std::string& text) {
    return text;
}

// The rows below are the one place that says what can be configured; defaults are the initial
// values in struct Config. A test holds config/wharfd.toml and docs/configuration.md to them.
constexpr std::array all_keys{
    Key{"daemon", "socket", false,
        PathField{.member = [](Config& c) -> auto& { return c.daemon.socket; },
                  .longest = longest_socket},
        "Unix socket at which clients ask"},
    Key{"daemon", "state_dir", false,
        PathField{.member = [](Config& c) -> auto& { return c.daemon.state_dir; }},
        "the daemon's own state: catalogue, jobs, tokens, grants and quotas; private to it"},
    Key{"daemon", "shutdown_grace", false,
        DurationField{[](Config& c) -> auto& { return c.daemon.shutdown_grace; }, 0ms, 10min},
        "how long a stop may wait for what is in the air"},
    Key{"daemon", "io_threads", false,
        CountField{[](Config& c) -> auto& { return c.daemon.io_threads; }, 1, 64},
        "threads that move bytes; default: number of cores, at most 4"},
    Key{"daemon", "max_clients", false,
        CountField{[](Config& c) -> auto& { return c.daemon.max_clients; }, 1, 100'000},
        "connections to the socket at one time"},
    Key{"daemon", "max_clients_per_user", false,
        CountField{[](Config& c) -> auto& { return c.daemon.max_clients_per_user; }, 0, 1'000'000},
        "of these, those of one user; 0: a quarter of max_clients, but at least 64"},
    Key{"daemon", "log_level", true,
        LevelField{[](Config& c) -> auto& { return c.daemon.log_level; }},
        "least level that is logged: debug, info, warning or error"},
    Key{"cache", "dir", false, PathField{.member = [](Config& c) -> auto& { return c.cache.dir; }},
        "the shared cache, in the official client's layout"},
    Key{"cache", "lock_files", false,
        FlagField{[](Config& c) -> auto& { return c.cache.lock_files; }},
        "take the official client's lock files: for caches that it writes to as well"},
    Key{"cache", "listable", false, FlagField{[](Config& c) -> auto& { return c.cache.listable; }},
        "let everybody on the machine list the names of the repos in it"},
    Key{"cache", "min_free", false,
        AutoSizeField{[](Config& c) -> auto& { return c.cache.min_free; }, 0, 1024 * tib},
        "space left alone on the cache's file system; auto: 1GiB, or 2% of it if that is less"},
    Key{"hub", "endpoint", false,
        TextField{[](Config& c) -> auto& { return c.hub.endpoint; }, check_endpoint},
        "base URL of the Hub; a path prefix is allowed"},
    Key{"hub", "ca_file", false,
        PathField{.member = [](Config& c) -> auto& { return c.hub.ca_file; }, .may_be_empty = true},
        "PEM file of trusted authorities; empty: the system's"},
    Key{"hub", "proxy", false,
        TextField{[](Config& c) -> auto& { return c.hub.proxy; }, check_proxy},
        "HTTP proxy, \"http://[user:password@]host:port\"; empty: from the environment"},
    Key{"hub", "no_proxy", false,
        TextField{[](Config& c) -> auto& { return c.hub.no_proxy; }, keep},
        "hosts to reach directly, separated by commas; empty: from the environment"},
    Key{"hub", "connect_timeout", false,
        DurationField{[](Config& c) -> auto& { return c.hub.connect_timeout; }, 10ms, 10min},
        "limit for connecting to one address"},
    Key{"hub", "first_byte_timeout", false,
        DurationField{[](Config& c) -> auto& { return c.hub.first_byte_timeout; }, 10ms, 1h},
        "limit from a request sent to the first byte of its answer"},
    Key{"hub", "revision_ttl", true,
        DurationField{[](Config& c) -> auto& { return c.hub.revision_ttl; }, 0ms, 24h},
        "how long a branch's commit is taken from memory; 0s: the Hub is always asked"},
    Key{"transfer", "max_connections", true,
        CountField{[](Config& c) -> auto& { return c.transfer.max_connections; }, 1, 1024},
        "connections for file contents at one time"},
    Key{"transfer", "max_connections_per_host", true,
        CountField{[](Config& c) -> auto& { return c.transfer.max_connections_per_host; }, 1, 1024},
        "of these, to one host"},
    Key{"transfer", "max_connections_per_file", true,
        CountField{[](Config& c) -> auto& { return c.transfer.max_connections_per_file; }, 1, 64},
        "of these, for one file"},
    Key{"transfer", "piece_size", true,
        AutoSizeField{[](Config& c) -> auto& { return c.transfer.piece_size; }, 64 * kib, gib},
        "part of a file that is recorded as a unit; auto: 256KiB to 16MiB, by the file's size"},
    Key{"transfer", "stall_timeout", false,
        DurationField{[](Config& c) -> auto& { return c.transfer.stall_timeout; }, 10ms, 1h},
        "a connection that brings no byte for so long is given up and its part asked for again"},
    Key{"transfer", "min_speed", false,
        SizeField{[](Config& c) -> auto& { return c.transfer.min_speed; }, 0, gib},
        "per second: a connection slower than this over stall_timeout is given up; 0: off"},
    Key{"transfer", "buffer_budget", false,
        SizeField{[](Config& c) -> auto& { return c.transfer.buffer_budget; }, 4 * mib, tib},
        "memory for contents that are on their way from the network to the disk"},
    Key{"jobs", "max_running", true,
        CountField{[](Config& c) -> auto& { return c.jobs.max_running; }, 1, 10'000},
        "jobs that run at one time; the others are queued"},
    Key{"jobs", "history_age", true,
        DurationField{[](Config& c) -> auto& { return c.jobs.history_age; }, 0ms, 24h * 3650},
        "how long jobs that have ended are remembered"},
    Key{"jobs", "history_count", true,
        CountField{[](Config& c) -> auto& { return c.jobs.history_count; }, 0, 10'000'000},
        "how many jobs that have ended are remembered"},
    Key{"access", "allow_users", true,
        NamesField{[](Config& c) -> auto& { return c.access.rules.allow.users; }},
        "who may connect: names or numbers of users, or \"*\""},
    Key{"access", "allow_groups", true,
        NamesField{[](Config& c) -> auto& { return c.access.rules.allow.groups; }},
        "the same for groups"},
    Key{"access", "download_users", true,
        NamesField{[](Config& c) -> auto& { return c.access.rules.download.users; }},
        "who of these may have files fetched; both lists empty: all of them"},
    Key{"access", "download_groups", true,
        NamesField{[](Config& c) -> auto& { return c.access.rules.download.groups; }},
        "the same for groups"},
    Key{"access", "upload_users", true,
        NamesField{[](Config& c) -> auto& { return c.access.rules.upload.users; }},
        "who of these may push to the Hub; both lists empty: all of them"},
    Key{"access", "upload_groups", true,
        NamesField{[](Config& c) -> auto& { return c.access.rules.upload.groups; }},
        "the same for groups"},
    Key{"access", "admin_users", true,
        NamesField{[](Config& c) -> auto& { return c.access.rules.admin.users; }},
        "who may see and change what is everybody's, and may do all the rest"},
    Key{"access", "admin_groups", true,
        NamesField{[](Config& c) -> auto& { return c.access.rules.admin.groups; }},
        "the same for groups"},
    Key{"access", "grant_ttl", true,
        DurationField{[](Config& c) -> auto& { return c.access.grant_ttl; }, 100ms, 24h},
        "how long the Hub's word counts that somebody may read a repo"},
    Key{"access", "offline_grace", true,
        DurationField{[](Config& c) -> auto& { return c.access.offline_grace; }, 0ms, 24h * 365},
        "how long it still serves when the Hub cannot be asked"},
    Key{"access", "renew_for", true,
        DurationField{[](Config& c) -> auto& { return c.access.renew_for; }, 0ms, 24h * 365},
        "how long after its last use it is asked for again by itself"},
    Key{"limits", "download_rate", true,
        RateField{[](Config& c) -> auto& { return c.limits.always.download.all; }},
        "how fast all downloads together may be, per second; 0: no limit"},
    Key{"limits", "upload_rate", true,
        RateField{[](Config& c) -> auto& { return c.limits.always.upload.all; }},
        "the same for what is pushed"},
    Key{"quota", "bytes", true,
        SizeField{[](Config& c) -> auto& { return c.quota.bytes; }, 0, 1ULL << 60},
        "how much of the cache one account may carry; 0: no limit"},
    Key{"quota", "running_jobs", true,
        CountField{[](Config& c) -> auto& { return c.quota.running_jobs; }, 0, 10'000},
        "jobs of one account that run at one time; 0: no limit"},
    Key{"quota", "queued_jobs", true,
        CountField{[](Config& c) -> auto& { return c.quota.queued_jobs; }, 0, 10'000},
        "jobs of one account that may wait beside them; 0: no limit"},
    Key{"quota", "staging", true,
        SizeField{[](Config& c) -> auto& { return c.quota.staging; }, 0, 1ULL << 60},
        "how much of one account may wait to be pushed; 0: no limit"},
    Key{"audit", "log", true, ScopeField{[](Config& c) -> auto& { return c.audit.log; }},
        "which events are taken down: restricted (what is not public), all or none"},
    Key{"audit", "file", true,
        PathField{.member = [](Config& c) -> auto& { return c.audit.file; }, .may_be_empty = true},
        "file they are written to, as lines of JSON; empty: the journal"},
};

/// Case and the kind of dash do not count when names are compared for a suggestion.
std::string folded(std::string_view text) {
    std::string out{text};
    for (char& c : out) {
        c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return out;
}

/// Levenshtein distance, one row at a time.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i);
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row.back();
}

} // namespace

std::span<const Key> keys() {
    return all_keys;
}

const Key* find_key(std::string_view table, std::string_view name) {
    const auto* found = std::ranges::find_if(
        all_keys, [&](const Key& key) { return key.table == table && key.name == name; });
    return found == all_keys.end() ? nullptr : found;
}

bool is_table(std::string_view name) {
    return std::ranges::find(all_keys, name, &Key::table) != all_keys.end();
}

const Key& nearest_key(std::string_view table, std::string_view name) {
    const auto wanted = folded(name);
    return *std::ranges::min_element(all_keys, {}, [&](const Key& key) {
        // Doubled, so that of two equally near keys the one in the same table wins.
        return 2 * distance(wanted, key.name) + (key.table == table ? 0 : 1);
    });
}

std::string_view nearest_table(std::string_view name) {
    std::vector<std::string_view> tables;
    std::ranges::transform(all_keys, std::back_inserter(tables), &Key::table);
    return nearest(name, tables);
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> known) {
    const auto wanted = folded(name);
    return *std::ranges::min_element(
        known, {}, [&](std::string_view candidate) { return distance(wanted, candidate); });
}

} // namespace wharf::config
