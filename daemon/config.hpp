#pragma once

#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/access/audit.hpp"
#include "daemon/access/quota_limits.hpp"
#include "daemon/access/rules.hpp"
#include "daemon/limits.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf {

/// Looks up an environment variable; none when it is unset or empty. Tests pass their own.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// The environment of this process.
Environment process_environment();

/// Number of processor cores, at most 4: more byte-moving threads gained nothing when measured.
unsigned default_io_threads() noexcept;

/// Everything that can be configured, with its defaults for the system service. Components get the
/// slice they need, by value or const reference. Meaning, bounds and help of each key are in the
/// table in config_keys.cpp; docs/configuration.md is the page for administrators.
struct Config {
    struct Daemon {
        std::filesystem::path socket = "/run/wharf/wharfd.sock";
        std::filesystem::path state_dir = "/var/lib/wharf";
        std::chrono::milliseconds shutdown_grace{10'000};
        unsigned io_threads = default_io_threads();
        unsigned max_clients = 4096;
        unsigned max_clients_per_user = 0; ///< 0: a quarter of max_clients, at least 64
        log::Level log_level = log::Level::info;
        bool operator==(const Daemon&) const = default;
    };
    struct Cache {
        std::filesystem::path dir = "/var/cache/wharf/hub";
        bool lock_files = false; ///< cooperate with official clients that write here too
        bool listable = false;   ///< may everybody see which repos are in it?
        std::optional<std::uint64_t> min_free; ///< none: 1 GiB, or 2 % of the disk if less
        bool operator==(const Cache&) const = default;
    };
    struct Hub {
        std::string endpoint = "https://huggingface.co"; ///< without trailing slash
        std::filesystem::path ca_file;                   ///< empty: the system's
        std::string proxy;    ///< may hold a password; empty: environment
        std::string no_proxy; ///< empty: environment
        std::chrono::milliseconds connect_timeout{10'000};
        std::chrono::milliseconds first_byte_timeout{60'000};
        std::chrono::milliseconds revision_ttl{0}; ///< 0: the Hub is asked in every call
        bool operator==(const Hub&) const = default;
    };
    struct Transfer {
        unsigned max_connections = 32;
        unsigned max_connections_per_host = 16;
        unsigned max_connections_per_file = 16;
        std::optional<std::uint64_t> piece_size; ///< none: by the file's size
        std::chrono::milliseconds stall_timeout{30'000};
        std::uint64_t min_speed = 1 << 10;      ///< bytes per second over stall_timeout; 0: off
        std::uint64_t buffer_budget = 64 << 20; ///< bytes
        bool operator==(const Transfer&) const = default;
    };
    struct Jobs {
        unsigned max_running = 64;
        std::chrono::milliseconds history_age = std::chrono::days{30};
        unsigned history_count = 10'000;
        bool operator==(const Jobs&) const = default;
    };
    struct Access {
        access::Rules rules;
        std::chrono::milliseconds grant_ttl = std::chrono::minutes{10};
        std::chrono::milliseconds offline_grace = std::chrono::hours{24};
        std::chrono::milliseconds renew_for = std::chrono::hours{12};
        bool operator==(const Access&) const = default;
    };
    struct Audit {
        access::AuditScope log = access::AuditScope::restricted;
        std::filesystem::path file; ///< empty: the journal, or the log where there is none
        bool operator==(const Audit&) const = default;
    };

    Daemon daemon;
    Cache cache;
    Hub hub;
    Transfer transfer;
    Jobs jobs;
    Access access;
    Limits limits;
    access::QuotaRules quota;
    Audit audit;
    bool operator==(const Config&) const = default;

    /// The system service's configuration: defaults changed by `file`. Throws an invalid_request
    /// Error "FILE:LINE: ..." for the first thing in it that cannot be used.
    static Config load(const std::filesystem::path& file);

    /// One person's configuration: user_defaults() changed by `file`, or by the person's own
    /// `wharf/wharfd.toml` (if there is one) when `file` is none. "~/" is expanded in paths.
    static Config load_user(const std::optional<std::filesystem::path>& file,
                            const Environment& environment = process_environment());

    /// One person's defaults: XDG folders, and the cache and endpoint that the official client
    /// would use. Where there is no XDG_RUNTIME_DIR the socket is in `/tmp/wharf-<uid>`, which is
    /// created here and must be ours alone. Throws invalid_request or forbidden Errors.
    static Config user_defaults(const Environment& environment = process_environment());
};

/// The keys ("daemon.socket") whose values differ and that a running daemon cannot take over.
std::vector<std::string> changes_needing_restart(const Config& running, const Config& wanted);

} // namespace wharf
