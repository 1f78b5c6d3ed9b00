#pragma once

#include "base/unique_fd.hpp"

#include <optional>
#include <string>

namespace wharf::store {

class Directory;

/// Holds the official client's flock on `.locks/<repo folder>/<etag>.lock` while a blob is being
/// written, so that it waits for us instead of fetching the same bytes. May be empty.
class BlobLock {
  public:
    BlobLock() noexcept = default;
    explicit BlobLock(UniqueFd locked) noexcept : fd_{std::move(locked)} {}

    bool is_held() const noexcept { return fd_.is_open(); }

  private:
    UniqueFd fd_; ///< closing it releases the lock
};

/// Takes the lock if nobody has it; none if somebody does. An empty lock, and a line in the log, if
/// there can be none (a file system without flock, a folder of somebody else's): it only saves
/// work, what is right never depends on it.
std::optional<BlobLock> try_lock_blob(const Directory& cache, const std::string& repo_folder,
                                      const std::string& etag);

} // namespace wharf::store
