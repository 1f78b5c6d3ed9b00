#pragma once

#include "base/unique_fd.hpp"
#include "daemon/store/directory.hpp"

#include <map>
#include <optional>
#include <string>

namespace wharf::store {

/// The blobs/ folders of the cache as one call sees them: each is opened once and kept open. One
/// thread.
class BlobFiles {
  public:
    /// Requires: `cache` outlives this.
    explicit BlobFiles(const Directory& cache) : cache_{cache} {}

    /// A repo's blobs/; null if it has none.
    const Directory* folder(const std::string& repo_folder);

    /// How a blob looks; none if there is no regular file of that name. The official client may put
    /// links there that lead to a file it shares between repos: they are followed if this account
    /// made them, and as long as they stay inside the cache.
    std::optional<Stamp> look(const std::string& repo_folder, const std::string& etag);

    /// The same file, opened for reading; closed if there is none.
    UniqueFd open(const std::string& repo_folder, const std::string& etag);

  private:
    UniqueFd open_linked(const std::string& repo_folder, const std::string& etag);

    const Directory& cache_;
    std::map<std::string, std::optional<Directory>> folders_;
};

/// Opens what a path below `root` leads to, through links as long as they stay below it. Closed if
/// that is nothing, or the kernel cannot promise it (before 5.6).
UniqueFd open_beneath(const Directory& root, const std::string& relative);

/// Makes the folders that every repo has, and returns its blobs/.
Directory make_repo(const Directory& cache, const std::string& repo_folder,
                    Unsynced* unsynced = nullptr);

} // namespace wharf::store
