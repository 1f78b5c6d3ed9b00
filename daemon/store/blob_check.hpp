#pragma once

#include "base/digest.hpp"
#include "base/unique_fd.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/store/directory.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace wharf::store {

/// Hashes a blob that is on disk, in slices, so that whoever waits can stop between two of them.
/// For the blocking pool; one thread at a time.
class BlobCheck {
  public:
    enum class Verdict {
        right,
        wrong,  ///< also when the disk cannot read it any more
        changed ///< somebody wrote to it meanwhile
    };

    /// Requires: `file` is open for reading.
    BlobCheck(UniqueFd file, const hub::TreeEntry& entry);

    /// Reads on for about 64 MiB. False when there is nothing left to read.
    bool read_slice();

    /// Requires: read_slice() has returned false.
    Verdict verdict();

    /// How the file looked before it was read.
    const Stamp& stamp() const noexcept { return stamp_; }

  private:
    std::size_t read_some();

    UniqueFd file_;
    const std::string etag_;
    Stamp stamp_;
    bool wrong_ = false;
    std::uint64_t offset_ = 0;
    std::vector<std::byte> buffer_;
    BlobHasher hasher_;
};

} // namespace wharf::store
