#include "base/piece_checksum.hpp"

#include <new>
#include <xxhash.h>

namespace wharf {

void PieceChecksum::Delete::operator()(XXH3_state_s* state) const noexcept {
    ::XXH3_freeState(state);
}

PieceChecksum::PieceChecksum() : state_{::XXH3_createState()} {
    if (!state_) {
        throw std::bad_alloc{};
    }
    ::XXH3_64bits_reset(state_.get());
}

void PieceChecksum::update(std::span<const std::byte> data) noexcept {
    ::XXH3_64bits_update(state_.get(), data.data(), data.size());
}

std::uint64_t PieceChecksum::value() const noexcept {
    return ::XXH3_64bits_digest(state_.get());
}

} // namespace wharf
