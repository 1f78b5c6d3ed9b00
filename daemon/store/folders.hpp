#pragma once

#include "daemon/store/directory.hpp"
#include "daemon/store/staging.hpp"

#include <filesystem>

namespace wharf::store {

/// Makes the cache folder usable, or throws an invalid_request Error that names the configuration
/// key. Makes the path absolute.
const std::filesystem::path& prepare_cache_dir(std::filesystem::path& path);

/// The same for the folder of the daemon's own state (mode 0700 when made here). It must not be on
/// a network file system, where SQLite's locks and shared memory do not work, nor in the cache,
/// which belongs to the official layout.
const std::filesystem::path& prepare_state_dir(std::filesystem::path& path,
                                               const std::filesystem::path& cache_dir);

/// Marks the cache for backup programs; what goes wrong is only logged.
void write_cachedir_tag(const Directory& cache, Staging& staging) noexcept;

} // namespace wharf::store
