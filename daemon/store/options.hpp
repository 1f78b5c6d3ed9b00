#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace wharf::store {

struct StoreOptions {
    std::filesystem::path cache_dir; ///< the official layout; created when missing
    std::filesystem::path state_dir; ///< holds the catalogue; created when missing, mode 0700
    bool lock_files = false;         ///< take the official client's flock files: others write too

    /// Whether all who may enter the cache may list it, and so see which repos are in it.
    bool listable = false;

    /// Unfinished files that nobody has touched for longer than this are removed at start.
    std::chrono::seconds keep_partials = std::chrono::days{7};

    /// Room that downloads leave free on the cache's file system. None: 1 GiB, or 2 % of it if that
    /// is less.
    std::optional<std::uint64_t> min_free = {};
};

} // namespace wharf::store
