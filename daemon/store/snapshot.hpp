#pragma once

#include "daemon/store/directory.hpp"
#include "daemon/store/staging.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace wharf::store {

/// The pointers of one commit, during one call. Keeps the folder of the last path open: paths come
/// sorted. One thread.
class Snapshot {
  public:
    /// Requires: `cache` and `staging` outlive this.
    Snapshot(const Directory& cache, Staging& staging, const std::string& repo_folder,
             const std::string& commit);

    /// Makes `path` a pointer to the blob, in place of whatever file or link was there; notes in
    /// `unsynced` what that changed. Throws a storage Error if a folder is there, or if one of its
    /// folders is something else.
    void point(std::string_view path, std::string_view etag, Unsynced& unsynced);

    /// Makes the folder even if nothing is in it.
    void make(Unsynced& unsynced);

  private:
    const Directory& folder_of(std::string_view folder, Unsynced& unsynced);

    const Directory& cache_;
    Staging& staging_;
    std::string root_path_; ///< below the cache
    std::optional<Directory> root_;
    std::string current_name_;
    std::optional<Directory> current_;
};

/// The etag that the pointer of `path` in a snapshot names. Throws file_not_found if nothing is
/// there, a storage Error if it is something else than a pointer of ours.
std::string read_pointer(const Directory& cache, const std::string& repo_folder,
                         const std::string& commit, const std::string& path);

/// The commit that refs/<revision> holds; none if there is none or it makes no sense. Requires: the
/// revision passed hub::parse_revision(), here and below.
std::optional<std::string> read_ref(const Directory& cache, const std::string& repo_folder,
                                    const std::string& revision);

/// Lets refs/<revision> hold the commit, durably. Throws a storage Error when another ref is in the
/// way ("dev" and "dev/x" cannot both be files).
void write_ref(const Directory& cache, Staging& staging, const std::string& repo_folder,
               const std::string& revision, const std::string& commit);

/// The same, but storage Errors are only logged: the snapshot is of use without its ref.
void try_write_ref(const Directory& cache, Staging& staging, const std::string& repo_folder,
                   const std::string& revision, const std::string& commit);

} // namespace wharf::store
