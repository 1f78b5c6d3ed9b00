#pragma once

#include "daemon/hub/types.hpp"
#include "daemon/store/directory.hpp"

#include <cstddef>
#include <string>
#include <unordered_map>

namespace wharf::store {

/// Files that were found in place: verified, durable, and their pointers right. The next asker for
/// one of them is answered with a single stat(2), which follows the pointer to the very inode that
/// was verified; whatever was changed meanwhile looks different or is gone. One thread.
class WarmFiles {
  public:
    /// Requires: `cache` outlives this. Above `most` files all are forgotten.
    WarmFiles(const Directory& cache, std::size_t most) : cache_{cache}, most_{most} {}

    void remember(const std::string& repo_folder, const std::string& commit,
                  const hub::TreeEntry& entry, const Stamp& verified);

    /// False also for files that are right but not remembered.
    bool still_in_place(const std::string& repo_folder, const std::string& commit,
                        const hub::TreeEntry& entry) const;

  private:
    struct Warm {
        std::string etag;
        Stamp verified;
    };

    const Directory& cache_;
    std::size_t most_;
    std::unordered_map<std::string, Warm> files_; ///< by the pointer's path in the cache
};

} // namespace wharf::store
