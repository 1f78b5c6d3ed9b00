#include "daemon/transfer/fetch.hpp"

#include "base/digest.hpp"

#include <algorithm>
#include <exception>
#include <span>
#include <utility>

namespace wharf::transfer {

namespace {

/// How much is written before the kernel is asked to start putting it on the disk.
constexpr std::uint64_t writeback_step = 8 << 20;

/// Reads a body no faster than the scheduler lets us.
class PacedBody {
  public:
    PacedBody(net::HttpResponse response, const FetchOrder& order)
        : response_{std::move(response)}, connection_{order.connection},
          allowance_{order.allowance} {}

    /// What was skipped would have to be skipped again: such a body is read to its end.
    void keep() noexcept { kept_ = true; }
    bool wanted_back() const noexcept { return !kept_ && connection_->wanted_back(); }

    /// At least one byte. Throws a network Error when the body ends instead.
    Awaitable<std::size_t> read_some(std::span<std::byte> buffer) {
        const std::size_t allowed = co_await allowance_->take(buffer.size());
        const std::size_t count = co_await response_.read_some(buffer.first(allowed));
        allowance_->give_back(allowed - count);
        connection_->received(count);
        if (count == 0) {
            throw Error{ErrorKind::network, "the answer ended before the file did"};
        }
        co_return count;
    }

  private:
    net::HttpResponse response_;
    std::shared_ptr<scheduling::Connections::Line> connection_;
    std::shared_ptr<scheduling::Allowance> allowance_;
    bool kept_ = false;
};

/// Copies a body into the pieces of a span. Reads return what has arrived, which may be little, so
/// the buffer is filled before it is written.
class SpanWriter {
  public:
    SpanWriter(const SpanOrder& order, std::span<std::byte> buffer)
        : file_{*order.file}, pieces_{*order.pieces}, span_{order.span}, buffer_{buffer} {}

    /// Skips what the first piece has, of a body that begins with the file.
    Awaitable<> skip(PacedBody& body, std::uint64_t count) {
        while (count > 0) {
            const auto wanted = std::min<std::uint64_t>(count, buffer_.size());
            count -= co_await body.read_some(buffer_.first(static_cast<std::size_t>(wanted)));
        }
    }

    Awaitable<> copy(PacedBody& body) {
        for (auto piece = span_->begin_next(); piece; piece = span_->begin_next()) {
            piece_ = *piece;
            co_await copy_piece(body);
            if (body.wanted_back()) {
                co_return;
            }
        }
    }

    /// Writes what is buffered.
    void write_out() {
        const auto bytes = buffer_.first(std::exchange(used_, 0));
        const auto offset = pieces_.position_of(piece_);
        file_.write_at(offset, bytes);
        auto& checksum = pieces_.checksum(piece_);
        checksum.update(bytes);
        pieces_.add_written(piece_, bytes.size());
        if (pieces_.is_complete(piece_)) {
            file_.record_piece(piece_, checksum.value());
        }
        unflushed_ += bytes.size();
        if (unflushed_ >= writeback_step) {
            start_writeback();
        }
    }

    /// To be called at the end, also when the body broke off: nothing received is lost.
    void finish() {
        if (used_ > 0) {
            write_out();
        }
        start_writeback();
    }

  private:
    Awaitable<> copy_piece(PacedBody& body) {
        while (!pieces_.is_complete(piece_) && !body.wanted_back()) {
            const auto lacking = pieces_.end_of(piece_) - pieces_.position_of(piece_);
            const auto room = buffer_.first(
                static_cast<std::size_t>(std::min<std::uint64_t>(buffer_.size(), lacking)));
            used_ += co_await body.read_some(room.subspan(used_));
            if (used_ == room.size()) {
                write_out();
            }
        }
    }

    void start_writeback() noexcept {
        if (const auto length = std::exchange(unflushed_, 0); length > 0) {
            file_.start_writeback(pieces_.position_of(piece_) - length, length);
        }
    }

    store::PartialFile& file_;
    PieceMap& pieces_;
    std::shared_ptr<Span> span_;
    std::span<std::byte> buffer_;
    std::size_t piece_ = 0;
    std::size_t used_ = 0;        ///< of the buffer, bytes of the piece that are not written yet
    std::uint64_t unflushed_ = 0; ///< written before the position, not yet on its way to disk
};

} // namespace

Awaitable<> fetch_span(hub::HubClient& hub, SpanOrder order, bool* ranges_ignored) {
    if (!order.span) { // others were quicker
        co_return;
    }
    const PieceMap& pieces = *order.pieces;
    const std::uint64_t begin = pieces.position_of(order.span->first());
    const std::uint64_t end = pieces.end_of(order.span->end() - 1);
    const bool whole_file = pieces.count() == 1;
    std::optional<hub::ByteRange> range;
    if (begin != 0 || end != order.what.size) {
        range = hub::ByteRange{begin, end};
    }
    hub::FileBody body = co_await hub.open_file(order.what.source, order.what.etag, order.what.size,
                                                range, order.what.location);
    if (order.what.located) {
        order.what.located(body.location);
    }
    if (body.range_ignored && !whole_file) {
        *ranges_ignored = true;
        co_return;
    }
    const async::BufferPool::Buffer buffer = co_await order.buffers->acquire();
    PacedBody source{std::move(body.response), order.what};
    SpanWriter writer{order, buffer.bytes()};
    std::exception_ptr broken;
    try {
        if (body.range_ignored) { // what is there, and may be hashed already, stays
            source.keep();
            co_await writer.skip(source, begin);
        }
        co_await writer.copy(source);
    } catch (...) { // rethrown below, once what had arrived is written
        broken = std::current_exception();
    }
    writer.finish();
    if (broken) {
        std::rethrow_exception(broken);
    }
}

Awaitable<> fetch_bytes(hub::HubClient& hub, FetchOrder order, FetchedBytes* fetched) {
    auto& [content, present, digest] = *fetched;
    content.resize(order.size);
    std::optional<hub::ByteRange> range;
    if (present > 0) {
        range = hub::ByteRange{present, order.size};
    }
    hub::FileBody body =
        co_await hub.open_file(order.source, order.etag, order.size, range, order.location);
    if (order.located) {
        order.located(body.location);
    }
    present = body.range_ignored ? 0 : present;
    PacedBody source{std::move(body.response), order};
    while (present < content.size()) {
        present += co_await source.read_some(std::span{content}.subspan(present));
    }
    BlobHasher hasher{order.etag, order.size};
    hasher.update(content);
    digest = hasher.finish();
}

} // namespace wharf::transfer
