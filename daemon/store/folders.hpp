#pragma once

#include "daemon/store/directory.hpp"
#include "daemon/store/staging.hpp"

#include <filesystem>

namespace wharf::store {

/// Makes the cache folder usable (mode 0711 when made here), or throws an invalid_request Error
/// that names the configuration key. Makes the path absolute.
const std::filesystem::path& prepare_cache_dir(std::filesystem::path& path);

/// The same for the folder of the daemon's own state (mode 0700 when made here). It must not be on
/// a network file system, where SQLite's locks and shared memory do not work, nor in the cache,
/// which belongs to the official layout.
const std::filesystem::path& prepare_state_dir(std::filesystem::path& path,
                                               const std::filesystem::path& cache_dir);

/// Throws an invalid_request Error if another account than root could write to the cache folder, so
/// that what we put there would not stay as it is; where it is `shared` with other programs, this
/// is only logged. Then sees to it that all who may enter the folder may list it as well, if it is
/// `listable`, and else that nobody may. A folder of somebody else's keeps its mode.
void guard_cache_dir(const Directory& cache, bool shared, bool listable);

/// The same for the state folder: it must be ours, and is closed to all others.
void guard_state_dir(const Directory& state);

/// Lets all who may enter the folder list it, or nobody.
void set_listing(const Directory& folder, bool listable);

/// Whether any other account may enter.
bool lets_others_pass(const Directory& folder);

/// Marks the cache for backup programs; what goes wrong is only logged.
void write_cachedir_tag(const Directory& cache, Staging& staging) noexcept;

} // namespace wharf::store
