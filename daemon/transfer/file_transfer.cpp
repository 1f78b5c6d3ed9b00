// Workers take spans of pieces and fetch them until none is left; hash_along() follows them. Pieces
// that an earlier run left are compared with their checksum before they are hashed: after a power
// failure the log may promise what never reached the disk.
#include "daemon/transfer/file_transfer.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/task_group.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <vector>

namespace wharf::transfer {

namespace {

/// How much is read back and hashed at once: long enough to be cheap to hand out, short enough that
/// the frontier is followed closely and a pause is prompt.
constexpr std::uint64_t hash_step = 8 << 20;
constexpr std::size_t read_size = 1 << 20;

/// How often the hash looks whether the frontier moved, and idle workers whether there is work.
constexpr std::chrono::milliseconds frontier_poll{20};
constexpr std::chrono::milliseconds work_poll{100};

/// How much one request brings. The more, the less the round trip before each counts; but all
/// connections shall have work until the end, and the hash follows the first of them.
std::uint64_t request_size(std::uint64_t file_size, std::size_t connections) noexcept {
    constexpr std::uint64_t least = 1 << 20; // many files are about as large: a request for each
    constexpr std::uint64_t usual = 16 << 20;
    constexpr std::uint64_t most = 64 << 20;
    const auto part = std::clamp(file_size / (2 * connections), least, usual);
    return std::clamp(file_size / 64, part, most);
}

/// So often a server may send the whole file instead of a part before we believe that it cannot do
/// otherwise, where it did before.
constexpr int most_ignored_ranges = 5;
constexpr std::chrono::milliseconds after_ignored_range{500};

/// How much a power failure may cost.
constexpr std::chrono::seconds sync_period{10};

/// Hands a range of the file to `use`, in order.
template <typename Use>
void read_range(const store::PartialFile& file, std::uint64_t begin, std::uint64_t end, Use use) {
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::min<std::uint64_t>(read_size, end - begin)));
    while (begin < end) {
        const auto part = std::span{buffer}.first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - begin)));
        file.read_at(begin, part);
        use(std::span<const std::byte>{part});
        begin += part.size();
    }
}

std::uint64_t checksum_of(const store::PartialFile& file, std::uint64_t begin, std::uint64_t end) {
    PieceChecksum checksum;
    read_range(file, begin, end, [&](std::span<const std::byte> part) { checksum.update(part); });
    return checksum.value();
}

} // namespace

FileTransfer::FileTransfer(TransferContext& context, const hub::TreeEntry& entry,
                           std::unique_ptr<store::PartialFile> file)
    : context_{context}, entry_{entry}, file_{std::move(file)},
      pieces_{std::make_unique<PieceMap>(entry_.size, file_->piece_size())},
      hasher_{entry_.etag(), entry_.size} {
    for (std::size_t i = 0; i < pieces_->count(); ++i) {
        if (file_->has_piece(i)) {
            pieces_->set_resumed(i);
        }
    }
    if (present() > 0) {
        log::info("transfer", "{} goes on at {} of {}", entry_.etag(), present(), entry_.size);
    }
}

Awaitable<> FileTransfer::run(Supply& supply) {
    supply_ = &supply;
    do {
        ranges_ignored_ = false;
        co_await run_workers();
    } while (ranges_ignored_);
}

Awaitable<> FileTransfer::run_workers() {
    trouble_ = nullptr;
    async::TaskGroup workers{context_.executor};
    const auto count = std::min(context_.options.max_connections_per_file, pieces_->count());
    for (std::size_t i = 0; i < count; ++i) {
        workers.spawn("pieces of " + entry_.etag(), work());
    }
    workers.spawn("log of " + entry_.etag(), sync_now_and_then());
    std::exception_ptr failure;
    try {
        co_await hash_along();
    } catch (...) { // rethrown when the workers, who use this object, are gone
        failure = std::current_exception();
    }
    workers.cancel();
    // They use what is ours: they must be gone, whatever happens to us meanwhile. A pause that
    // comes now is noticed by the next fetch, which finds nobody who asks.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await workers.join();
    if (failure) {
        std::rethrow_exception(failure);
    }
    if (ranges_ignored_) {
        co_await begin_in_one_go();
    }
    co_await asio::this_coro::reset_cancellation_state();
}

/// Fetches until something cannot be had, or pieces turn out to be the wrong way. As long as not
/// all is hashed, pieces that were there may have to be fetched again.
Awaitable<> FileTransfer::work() {
    try {
        while (!ranges_ignored_) {
            if (pieces_->has_work(Span::Clock::now())) {
                co_await fetch_some();
            } else if (pieces_->is_complete()) {
                co_await changed_.wait();
            } else {
                co_await changed_.wait_for(work_poll);
            }
        }
    } catch (...) {      // rethrown by hash_along(), which would wait for us for ever
        if (!trouble_) { // what others say then is what the first one met
            trouble_ = std::current_exception();
        }
        changed_.notify_all();
    }
}

/// One try at a span. It is taken when there is a connection for it, and given back before the wait
/// after a failure, so that nothing lies idle that others could fetch.
Awaitable<> FileTransfer::fetch_some() {
    const auto most = request_size(entry_.size, context_.options.max_connections_per_file);
    bool ranges_ignored = false;
    std::shared_ptr<Span> span;
    std::optional<Supply::Failure> failure;
    {
        const ScopeExit give_back{[this, &span] {
            if (span) {
                pieces_->give_back(span);
            }
            changed_.notify_all(); // the frontier may have moved far
        }};
        failure = co_await supply_->try_once(most, [&](Lanes::Lane& lane, FetchOrder order) {
            span = pieces_->take(most, Span::Clock::now());
            return fetch_span(lane.hub,
                              SpanOrder{.what = std::move(order),
                                        .file = file_.get(),
                                        .pieces = pieces_.get(),
                                        .span = span,
                                        .buffers = &context_.buffers},
                              &ranges_ignored);
        });
    }
    if (ranges_ignored) {
        co_await note_ignored_range();
    }
    if (present() > most_present_) {
        most_present_ = present();
        supply_->progress();
    }
    if (failure) {
        co_await supply_->recover(*std::move(failure));
    }
}

/// One stray answer shall not cost what came in pieces before.
Awaitable<> FileTransfer::note_ignored_range() {
    if (present() == 0 || ++ignored_ranges_ >= most_ignored_ranges) {
        ranges_ignored_ = true;
        co_return;
    }
    log::warning("transfer", "{}: the whole file came instead of a part of it", entry_.path);
    supply_->forget_location();
    co_await async::sleep_for(after_ignored_range);
}

/// Without ranges there is one connection, and nothing to go on from after a restart.
Awaitable<> FileTransfer::begin_in_one_go() {
    log::info("transfer", "the server ignores ranges: fetching {} in one go", entry_.etag());
    pieces_ = std::make_unique<PieceMap>(entry_.size, entry_.size);
    start_hash_over();
    co_await context_.store.discard(std::move(file_));
    file_ = co_await context_.store.open_partial(entry_.etag(), entry_.size, entry_.size);
}

void FileTransfer::start_hash_over() {
    hasher_ = BlobHasher{entry_.etag(), entry_.size};
    hashed_ = 0;
    most_present_ = 0;
}

Awaitable<> FileTransfer::hash_along() {
    while (hashed_ < entry_.size) {
        if (trouble_) {
            std::rethrow_exception(trouble_);
        }
        if (ranges_ignored_) {
            co_return;
        }
        const auto frontier = pieces_->frontier();
        if (frontier - hashed_ < read_size && frontier < entry_.size) {
            co_await changed_.wait_for(frontier_poll);
        } else if (pieces_->is_resumed(pieces_->piece_at(hashed_))) {
            co_await check_resumed(pieces_->piece_at(hashed_));
        } else {
            co_await hash_until(end_of_step(frontier));
        }
    }
}

/// Up to where the next step may hash: not over a piece that is still to be checked.
std::uint64_t FileTransfer::end_of_step(std::uint64_t frontier) const {
    const auto limit = std::min(frontier, hashed_ + hash_step);
    auto end = hashed_;
    while (end < limit && !pieces_->is_resumed(pieces_->piece_at(end))) {
        end = std::min(pieces_->end_of(pieces_->piece_at(end)), limit);
    }
    return end;
}

Awaitable<> FileTransfer::hash_until(std::uint64_t end) {
    co_await context_.pool.run([this, end] {
        read_range(*file_, hashed_, end,
                   [this](std::span<const std::byte> part) { hasher_.update(part); });
    });
    hashed_ = end;
}

Awaitable<> FileTransfer::check_resumed(std::size_t piece) {
    const bool same = co_await is_as_recorded(piece);
    if (same) {
        pieces_->set_checked(piece);
    } else {
        log::warning("transfer", "piece {} of {} did not survive: fetching it again", piece,
                     entry_.etag());
        lose(piece);
    }
}

/// What cannot be read is not there: written anew it may lie in a better place.
Awaitable<bool> FileTransfer::is_as_recorded(std::size_t piece) {
    try {
        const std::uint64_t checksum = co_await context_.pool.run([this, piece] {
            return checksum_of(*file_, pieces_->begin_of(piece), pieces_->end_of(piece));
        });
        co_return checksum == file_->piece_checksum(piece);
    } catch (const Error& error) {
        log::warning("transfer", "{}", error.message());
    }
    co_return false;
}

void FileTransfer::lose(std::size_t piece) {
    file_->forget_piece(piece);
    pieces_->lose(piece);
    changed_.notify_all();
}

Awaitable<> FileTransfer::sync_now_and_then() {
    std::uint64_t synced = present();
    for (;;) {
        co_await async::sleep_for(sync_period);
        if (present() > synced) {
            synced = present();
            try {
                co_await context_.pool.run([this] { file_->sync_progress(); });
            } catch (const Error&) { // the file cannot be published any more: go on with it is vain
                trouble_ = trouble_ ? trouble_ : std::current_exception();
                changed_.notify_all();
                co_return;
            }
        }
    }
}

bool FileTransfer::is_right() {
    const std::string digest = hasher_.finish();
    if (digest != entry_.etag()) {
        log::warning("transfer", "the bytes of {} hash to {}, not to {}", entry_.path, digest,
                     entry_.etag());
        start_hash_over();
    }
    return digest == entry_.etag();
}

Awaitable<bool> FileTransfer::drop_damaged() {
    std::size_t lost = 0;
    for (std::size_t i = 0; i < pieces_->count(); ++i) {
        if (file_->has_piece(i)) {
            const bool same = co_await is_as_recorded(i);
            lost += same ? 0 : 1;
            if (!same) {
                lose(i);
            }
        }
    }
    if (lost > 0) {
        log::warning("transfer", "{} pieces of {} are not what was received: fetching them again",
                     lost, entry_.etag());
    }
    co_return lost > 0;
}

} // namespace wharf::transfer
