#pragma once

#include "base/unique_fd.hpp"

namespace wharf::store {

/// Holds the official client's flock on `.locks/<repo folder>/<etag>.lock` while a blob is being
/// written, so that it waits for us instead of fetching the same bytes. May be empty.
class BlobLock {
  public:
    BlobLock() noexcept = default;
    explicit BlobLock(UniqueFd locked) noexcept : fd_{std::move(locked)} {}

  private:
    UniqueFd fd_; ///< closing it releases the lock
};

} // namespace wharf::store
