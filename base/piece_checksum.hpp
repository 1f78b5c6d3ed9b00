#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

struct XXH3_state_s; // xxhash.h stays in one .cpp

namespace wharf {

/// A fast 64-bit checksum (XXH3) that tells whether bytes on the disk still are those that were
/// written: a piece that a power failure took back, a log entry that is torn. No defence against
/// somebody who wants to deceive; the blob's own hash is.
class PieceChecksum {
  public:
    PieceChecksum();

    void update(std::span<const std::byte> data) noexcept;

    /// Of all that came so far; more may follow.
    std::uint64_t value() const noexcept;

  private:
    struct Delete {
        void operator()(XXH3_state_s* state) const noexcept;
    };
    std::unique_ptr<XXH3_state_s, Delete> state_;
};

} // namespace wharf
