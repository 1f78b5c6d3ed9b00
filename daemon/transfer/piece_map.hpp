#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

namespace wharf::transfer {

/// One range of a blob, [begin, end), written from its start on. `written` is advanced by the
/// thread that writes and read by others: bytes below it are in the file.
struct Piece {
    Piece(std::uint64_t b, std::uint64_t e) noexcept : begin{b}, end{e} {}

    std::uint64_t begin;
    std::uint64_t end;
    std::atomic<std::uint64_t> written{0};
    bool taken = false; ///< somebody fetches it now; control thread only

    std::uint64_t position() const noexcept {
        return begin + written.load(std::memory_order_acquire);
    }
    bool complete() const noexcept { return position() >= end; }
};

/// Which parts of a blob are there. Belongs to the control thread, but for the pieces' `written`.
class PieceMap {
  public:
    PieceMap(std::uint64_t size, std::uint64_t piece_size);

    /// The first piece that is neither complete nor taken; taken from now on. None: nothing to do.
    Piece* take() noexcept;
    void give_back(Piece& piece) noexcept { piece.taken = false; }

    /// All bytes below this offset are there.
    std::uint64_t frontier() const noexcept;

    /// How many bytes are there in all.
    std::uint64_t present() const noexcept;

    bool complete() const noexcept { return frontier() == size_; }
    std::size_t count() const noexcept { return pieces_.size(); }
    std::uint64_t size() const noexcept { return size_; }

  private:
    std::uint64_t size_;
    std::deque<Piece> pieces_; ///< addresses stay
    mutable std::size_t first_incomplete_ = 0;
};

} // namespace wharf::transfer
