#include "daemon/transfer/piece_map.hpp"

#include <algorithm>
#include <cassert>

namespace wharf::transfer {

namespace {

/// Pieces that will be begun within this are left where they are: taking them away costs the other
/// fetch its connection, whose answer cannot be ended early otherwise.
constexpr std::chrono::milliseconds worth_stealing{500};

} // namespace

std::optional<std::size_t> Span::begin_next() noexcept {
    auto state = state_.load(std::memory_order_acquire);
    while (next_of(state) < end_of(state)) {
        if (state_.compare_exchange_weak(state, pack(next_of(state) + 1, end_of(state)))) {
            return next_of(state);
        }
    }
    return std::nullopt;
}

std::optional<std::size_t> Span::split() noexcept {
    auto state = state_.load(std::memory_order_acquire);
    for (;;) {
        // The first piece stays, begun or not: it is what the request will ask for.
        const auto next = std::max<std::uint64_t>(next_of(state), first_ + 1);
        if (next >= end_of(state)) {
            return std::nullopt;
        }
        // Rounded up: a single piece that is not begun goes to who can begin it now.
        const auto middle = end_of(state) - (end_of(state) - next + 1) / 2;
        if (state_.compare_exchange_weak(state, pack(next_of(state), middle))) {
            return middle;
        }
    }
}

Span::Clock::duration Span::backlog(Clock::time_point now) const noexcept {
    const auto state = state_.load(std::memory_order_acquire);
    const auto next = std::max<std::uint64_t>(next_of(state), first_ + 1);
    const auto left = static_cast<std::int64_t>(end_of(state) - std::min(next, end_of(state)));
    return (now - since_) * left / static_cast<std::int64_t>(next - first_);
}

PieceMap::PieceMap(std::uint64_t size, std::uint64_t piece_size)
    : size_{size}, piece_size_{piece_size}, slots_((size + piece_size - 1) / piece_size) {}

bool PieceMap::is_free(std::size_t piece) const noexcept {
    return !slots_[piece].taken && !is_complete(piece);
}

std::size_t PieceMap::first_free() const noexcept {
    while (first_free_ < slots_.size() && !is_free(first_free_)) {
        ++first_free_;
    }
    return first_free_;
}

bool PieceMap::has_work(Span::Clock::time_point now) const {
    return first_free() < slots_.size() || slowest(now) != nullptr;
}

std::shared_ptr<Span> PieceMap::take(std::uint64_t most_bytes, Span::Clock::time_point now) {
    const auto first = first_free();
    if (first == slots_.size()) {
        return steal(now);
    }
    const auto most = std::max<std::uint64_t>(most_bytes / piece_size_, 1);
    auto end = first + 1;
    // Only the first may have been begun: its rest and the others are one range of the file.
    while (end < slots_.size() && end - first < most && is_free(end) && slots_[end].written == 0) {
        ++end;
    }
    return lend(first, end, now);
}

std::shared_ptr<Span> PieceMap::lend(std::size_t first, std::size_t end,
                                     Span::Clock::time_point now) {
    for (auto i = first; i < end; ++i) {
        slots_[i].taken = true;
    }
    auto span = std::make_shared<Span>(first, end, now);
    spans_.insert(span);
    return span;
}

/// The one whose end is worth giving to somebody else; null if there is none.
std::shared_ptr<Span> PieceMap::slowest(Span::Clock::time_point now) const {
    const auto found = std::ranges::max_element(
        spans_, {}, [now](const std::shared_ptr<Span>& span) { return span->backlog(now); });
    return found != spans_.end() && (*found)->backlog(now) >= worth_stealing ? *found : nullptr;
}

std::shared_ptr<Span> PieceMap::steal(Span::Clock::time_point now) {
    const auto victim = slowest(now);
    if (!victim) {
        return nullptr;
    }
    const auto end = victim->end();
    const auto first = victim->split();
    return first ? lend(*first, end, now) : nullptr;
}

void PieceMap::give_back(const std::shared_ptr<Span>& span) noexcept {
    for (auto i = span->first(); i < span->end(); ++i) {
        slots_[i].taken = false;
        if (is_complete(i)) {
            slots_[i].checksum.reset();
        } else {
            first_free_ = std::min(first_free_, i);
        }
    }
    spans_.erase(span);
}

void PieceMap::set_resumed(std::size_t piece) noexcept {
    assert(slots_[piece].written == 0);
    slots_[piece].resumed = true;
    add_written(piece, end_of(piece) - begin_of(piece));
}

void PieceMap::lose(std::size_t piece) noexcept {
    assert(!slots_[piece].taken);
    present_ -= slots_[piece].written.exchange(0);
    slots_[piece].resumed = false;
    slots_[piece].checksum.reset();
    first_incomplete_ = std::min(first_incomplete_, piece);
    first_free_ = std::min(first_free_, piece);
}

void PieceMap::add_written(std::size_t piece, std::uint64_t bytes) noexcept {
    slots_[piece].written.fetch_add(bytes, std::memory_order_release);
    present_.fetch_add(bytes, std::memory_order_relaxed);
}

PieceChecksum& PieceMap::checksum(std::size_t piece) {
    auto& checksum = slots_[piece].checksum;
    if (!checksum) {
        checksum = std::make_unique<PieceChecksum>();
    }
    return *checksum;
}

std::uint64_t PieceMap::end_of(std::size_t piece) const noexcept {
    return std::min(begin_of(piece) + piece_size_, size_);
}

std::uint64_t PieceMap::position_of(std::size_t piece) const noexcept {
    return begin_of(piece) + slots_[piece].written.load(std::memory_order_acquire);
}

std::uint64_t PieceMap::frontier() const noexcept {
    while (first_incomplete_ < slots_.size() && is_complete(first_incomplete_)) {
        ++first_incomplete_;
    }
    return first_incomplete_ < slots_.size() ? position_of(first_incomplete_) : size_;
}

} // namespace wharf::transfer
