#pragma once

#include "base/digest.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace wharf::store {

/// Computes what StagedFile::hashes of a content of `size` bytes says, while they pass by in order.
class ContentHashes {
  public:
    explicit ContentHashes(std::uint64_t size);

    void update(std::span<const std::byte> data);

    /// Requires: all bytes have come. Ends this object's use.
    std::string finish();

  private:
    BlobHasher sha256_;
    std::optional<BlobHasher> git_; ///< none: too large for a regular file
};

} // namespace wharf::store
