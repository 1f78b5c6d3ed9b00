#include "daemon/transfer/piece_fetch.hpp"

#include <algorithm>
#include <exception>
#include <span>
#include <vector>

namespace wharf::transfer {

namespace {

/// Large enough for TLS reads and page-cache writes to be at the flat part of the curve; the kernel
/// and OpenSSL gain nothing from more (docs/measurements.md).
constexpr std::size_t buffer_size = 256 << 10;

/// How much is written before the kernel is asked to start putting it on the disk.
constexpr std::uint64_t writeback_step = 8 << 20;

/// Copies a body into a piece. The buffer is filled before it is written: reads return what has
/// arrived, which may be little.
class PieceWriter {
  public:
    /// `skip` bytes of the body come first that the piece has already.
    PieceWriter(store::PartialFile& file, Piece& piece, std::uint64_t skip)
        : file_{file}, piece_{piece}, buffer_(static_cast<std::size_t>(std::min<std::uint64_t>(
                                          buffer_size, piece.end - piece.position()))),
          skip_{skip}, flushed_{piece.position()} {}

    /// Where the next bytes go. Empty when the piece is complete.
    std::span<std::byte> space() noexcept {
        const auto lacking = skip_ > 0 ? skip_ : piece_.end - piece_.position() - used_;
        return std::span{buffer_}.subspan(used_, static_cast<std::size_t>(std::min<std::uint64_t>(
                                                     buffer_.size() - used_, lacking)));
    }

    void accept(std::size_t count) {
        if (skip_ > 0) {
            skip_ -= count;
            return;
        }
        used_ += count;
        if (used_ == buffer_.size() || piece_.position() + used_ == piece_.end) {
            write_out();
        }
    }

    /// Writes what is buffered; called when the body broke off, so that nothing received is lost.
    void write_out() {
        if (used_ == 0) {
            return;
        }
        file_.write_at(piece_.position(), std::span{buffer_}.first(used_));
        piece_.written.fetch_add(used_, std::memory_order_release);
        used_ = 0;
        if (piece_.position() - flushed_ >= writeback_step || piece_.complete()) {
            file_.start_writeback(flushed_, piece_.position() - flushed_);
            flushed_ = piece_.position();
        }
    }

  private:
    store::PartialFile& file_;
    Piece& piece_;
    std::vector<std::byte> buffer_;
    std::size_t used_ = 0;
    std::uint64_t skip_;
    std::uint64_t flushed_;
};

Awaitable<> copy_body(net::HttpResponse& response, PieceWriter& writer) {
    for (;;) {
        const auto space = writer.space();
        if (space.empty()) {
            co_return;
        }
        const std::size_t count = co_await response.read_some(space);
        if (count == 0) {
            throw Error{ErrorKind::network, "the answer ended before the file did"};
        }
        writer.accept(count);
    }
}

} // namespace

Awaitable<PieceOutcome> fetch_piece(hub::HubClient& hub, PieceOrder order) {
    Piece& piece = *order.piece;
    std::optional<hub::ByteRange> range;
    if (!order.whole_file || piece.position() != 0) {
        range = hub::ByteRange{piece.position(), piece.end};
    }
    hub::FileBody body = co_await hub.open_file(std::move(order.source), order.etag, order.size,
                                                range, std::move(order.location));
    PieceOutcome outcome;
    if (order.located) {
        order.located(body.location);
    }
    if (body.range_ignored && !order.whole_file) {
        outcome.range_ignored = true;
        co_return outcome;
    }
    // The whole file comes, from its start: what is there, and may be hashed already, stays.
    PieceWriter writer{*order.file, piece, body.range_ignored ? piece.position() : 0};
    std::exception_ptr broken;
    try {
        co_await copy_body(body.response, writer);
    } catch (...) { // rethrown below, once what had arrived is written
        broken = std::current_exception();
    }
    writer.write_out();
    if (broken) {
        std::rethrow_exception(broken);
    }
    co_return outcome;
}

} // namespace wharf::transfer
