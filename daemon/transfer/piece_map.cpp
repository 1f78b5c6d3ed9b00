#include "daemon/transfer/piece_map.hpp"

#include <algorithm>

namespace wharf::transfer {

PieceMap::PieceMap(std::uint64_t size, std::uint64_t piece_size) : size_{size} {
    for (std::uint64_t begin = 0; begin < size; begin += piece_size) {
        pieces_.emplace_back(begin, std::min(begin + piece_size, size));
    }
}

Piece* PieceMap::take() noexcept {
    frontier(); // skips what is complete
    for (auto i = first_incomplete_; i < pieces_.size(); ++i) {
        auto& piece = pieces_[i];
        if (!piece.taken && !piece.complete()) {
            piece.taken = true;
            return &piece;
        }
    }
    return nullptr;
}

std::uint64_t PieceMap::frontier() const noexcept {
    while (first_incomplete_ < pieces_.size() && pieces_[first_incomplete_].complete()) {
        ++first_incomplete_;
    }
    return first_incomplete_ < pieces_.size() ? pieces_[first_incomplete_].position() : size_;
}

std::uint64_t PieceMap::present() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& piece : pieces_) {
        sum += piece.written.load(std::memory_order_relaxed);
    }
    return sum;
}

} // namespace wharf::transfer
