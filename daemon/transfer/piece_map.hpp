#pragma once

#include "base/piece_checksum.hpp"

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

namespace wharf::transfer {

/// Consecutive pieces that one request brings, in order. The fetching thread begins them from the
/// front; the control thread may meanwhile give the back of it to somebody else.
class Span {
  public:
    using Clock = std::chrono::steady_clock;

    /// [first, end), in pieces. Requires: not empty.
    Span(std::size_t first, std::size_t end, Clock::time_point now) noexcept
        : first_{first}, since_{now}, state_{pack(first, end)} {}

    /// The piece to fetch next; none when there are no more. Fetching thread.
    std::optional<std::size_t> begin_next() noexcept;

    /// Takes the back half of what is not begun yet, but never the span's first piece: the first of
    /// what was taken. None if that would be nothing. Control thread.
    std::optional<std::size_t> split() noexcept;

    std::size_t first() const noexcept { return first_; }
    std::size_t end() const noexcept { return end_of(state_.load(std::memory_order_acquire)); }

    /// How long the pieces that are not begun yet will wait, at the speed so far: zero when there
    /// are none that could be given away.
    Clock::duration backlog(Clock::time_point now) const noexcept;

  private:
    // Both ends in one word, so that a piece is never both begun and given away.
    static constexpr std::uint64_t pack(std::uint64_t next, std::uint64_t end) noexcept {
        return next << 32 | end;
    }
    static constexpr std::uint64_t next_of(std::uint64_t state) noexcept { return state >> 32; }
    static constexpr std::uint64_t end_of(std::uint64_t state) noexcept {
        return state & 0xffff'ffff;
    }

    std::size_t first_;
    Clock::time_point since_;
    std::atomic<std::uint64_t> state_;
};

/// Which parts of a blob are there. Belongs to the control thread, but for add_written() and
/// checksum(), which the thread that fetches a span uses for the span's pieces.
class PieceMap {
  public:
    /// Requires: `piece_size` is not 0.
    PieceMap(std::uint64_t size, std::uint64_t piece_size);

    /// The next pieces that nobody fetches, as many as fit into `most_bytes`, at least one. When
    /// none is left: part of what somebody else has taken and will not begin for long, so that the
    /// last bytes of a file do not wait for one slow connection. Null: there is nothing to do now;
    /// unless all is complete, look again a little later.
    std::shared_ptr<Span> take(std::uint64_t most_bytes, Span::Clock::time_point now);

    /// Whether take() would have something to give.
    bool has_work(Span::Clock::time_point now) const;

    /// Ends a span: what it did not bring is for others.
    void give_back(const std::shared_ptr<Span>& span) noexcept;

    /// Marks a piece as brought by an earlier run. Its bytes are to be checked before they are
    /// relied upon.
    void set_resumed(std::size_t piece) noexcept;
    bool is_resumed(std::size_t piece) const noexcept { return slots_[piece].resumed; }
    void set_checked(std::size_t piece) noexcept { slots_[piece].resumed = false; }

    /// Forgets what is there of a piece that nobody fetches.
    void lose(std::size_t piece) noexcept;

    /// More bytes of a piece are in the file, behind those that were.
    void add_written(std::size_t piece, std::uint64_t bytes) noexcept;

    /// Of the bytes of a piece that is being fetched; goes on from fetch to fetch.
    PieceChecksum& checksum(std::size_t piece);

    /// The piece's first byte, the one behind its last, and the first that is not there.
    std::uint64_t begin_of(std::size_t piece) const noexcept { return piece * piece_size_; }
    std::uint64_t end_of(std::size_t piece) const noexcept;
    std::uint64_t position_of(std::size_t piece) const noexcept;
    std::size_t piece_at(std::uint64_t offset) const noexcept { return offset / piece_size_; }
    bool is_complete(std::size_t piece) const noexcept {
        return position_of(piece) == end_of(piece);
    }

    /// All bytes below this offset are there.
    std::uint64_t frontier() const noexcept;

    /// How many bytes are there in all. Any thread.
    std::uint64_t present() const noexcept { return present_.load(std::memory_order_relaxed); }

    bool is_complete() const noexcept { return present() == size_; }
    std::size_t count() const noexcept { return slots_.size(); }
    std::uint64_t size() const noexcept { return size_; }

  private:
    struct Slot {
        std::atomic<std::uint64_t> written{0};
        std::unique_ptr<PieceChecksum> checksum; ///< of what is there, while it is not all there
        bool taken = false;
        bool resumed = false;
    };
    bool is_free(std::size_t piece) const noexcept;
    std::size_t first_free() const noexcept;
    std::shared_ptr<Span> slowest(Span::Clock::time_point now) const;
    std::shared_ptr<Span> lend(std::size_t first, std::size_t end, Span::Clock::time_point now);
    std::shared_ptr<Span> steal(Span::Clock::time_point now);

    std::uint64_t size_;
    std::uint64_t piece_size_;
    std::vector<Slot> slots_;
    std::set<std::shared_ptr<Span>> spans_; ///< being fetched
    std::atomic<std::uint64_t> present_{0};
    mutable std::size_t first_incomplete_ = 0;
    mutable std::size_t first_free_ = 0; ///< all before it are taken or complete
};

} // namespace wharf::transfer
