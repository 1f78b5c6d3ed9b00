// A flight's life: `run` is one task from start() to landing, failure or pause. Inside it `bring`
// takes the official client's lock, looks whether somebody else brought the blob meanwhile, moves
// the bytes and publishes. `move_bytes` starts workers, each taking pieces and fetching them until
// none is left, and hashes along with them. A pause cancels the task; file, pieces and the hash so
// far stay, and the next start() goes on from there.
#include "daemon/transfer/flight.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "base/units.hpp"
#include "daemon/async/hop.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace wharf::transfer {

namespace {

/// How much is read back and hashed at once: long enough to be cheap to hand out, short enough that
/// the frontier is followed closely and a pause is prompt.
constexpr std::uint64_t hash_step = 8 << 20;
constexpr std::size_t hash_buffer = 1 << 20;

/// How often the hash looks whether the frontier moved while pieces are in the air.
constexpr std::chrono::milliseconds frontier_poll{20};

void hash_range(const store::PartialFile& file, BlobHasher& hasher, std::uint64_t begin,
                std::uint64_t end) {
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::min<std::uint64_t>(hash_buffer, end - begin)));
    while (begin < end) {
        const auto part = std::span{buffer}.first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - begin)));
        file.read_at(begin, part);
        hasher.update(part);
        begin += part.size();
    }
}

bool is_cancellation(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (const Error& error) {
        return error.kind() == ErrorKind::cancelled;
    } catch (...) { // any other kind is a failure
        return false;
    }
}

/// Failures after which the bytes that are there still are worth keeping.
bool worth_keeping(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return error.kind() == ErrorKind::network || error.kind() == ErrorKind::unavailable ||
               error.kind() == ErrorKind::rate_limited || error.kind() == ErrorKind::unauthorized;
    } catch (...) {
        return false;
    }
}

std::uint64_t jitter_seed(const std::string& etag) {
    return std::hash<std::string>{}(etag) ^
           static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

} // namespace

Flight::Flight(Flights& owner, hub::TreeEntry entry, bool force)
    : owner_{owner}, context_{owner.context_}, entry_{std::move(entry)}, force_{force},
      retry_{context_.options.retry, jitter_seed(entry_.etag())} {}

Askers::Place Flight::add(hub::FileSource source, Claimant claimant) {
    return askers_.add(std::move(source), claimant);
}

void Flight::leave(Askers::Place place) {
    last_repo_ = place->source.repo;
    if (askers_.leave(place)) {
        location_.reset(); // it was signed for that asker
    }
    if (askers_.empty()) {
        cancel();
    }
}

void Flight::start() {
    state_ = State::running;
    failure_ = nullptr;
    retry_ = Retry{context_.options.retry, jitter_seed(entry_.etag())};
    ++owner_.running_;
    task_ = std::make_unique<async::TaskGroup>(context_.executor);
    task_->spawn("flight " + entry_.etag(), run(shared_from_this()));
}

void Flight::cancel() {
    if (state_ == State::running) {
        task_->cancel();
    }
}

std::uint64_t Flight::done() const noexcept {
    if (state_ == State::landed) {
        return entry_.size;
    }
    return pieces_ ? pieces_->present() : 0;
}

void Flight::inherit(Flight& ended) noexcept {
    file_ = std::move(ended.file_);
    pieces_ = std::move(ended.pieces_);
    hasher_ = std::move(ended.hasher_);
    hashed_ = ended.hashed_;
    most_present_ = ended.most_present_;
    paused_since_ = std::chrono::steady_clock::now();
}

Awaitable<> Flight::landed(Askers::Place place) {
    const auto self = shared_from_this();
    while (state_ != State::landed && state_ != State::failed && !place->refusal) {
        co_await changed_.wait();
    }
    if (failure_ || place->refusal) {
        std::rethrow_exception(place->refusal ? place->refusal : failure_);
    }
}

const hub::RepoId& Flight::repo() const noexcept {
    return askers_.lead() != nullptr ? askers_.lead()->repo : last_repo_;
}

const hub::FileSource& Flight::asking() const {
    if (const auto* source = askers_.lead()) {
        return *source;
    }
    throw Error{ErrorKind::cancelled, "nobody asks for this file any more"};
}

Awaitable<> Flight::run(std::shared_ptr<Flight> self) {
    std::exception_ptr failure;
    try {
        co_await bring();
    } catch (...) { // sorted out by end()
        failure = std::current_exception();
    }
    self->end(failure);
}

/// Requires: called by the task itself, as its last act.
void Flight::end(std::exception_ptr failure) {
    --owner_.running_;
    const bool paused = failure && is_cancellation(failure);
    if (paused && !askers_.empty() && !owner_.stopping_) {
        start(); // somebody came while we were stopping for want of askers
        return;
    }
    paused_since_ = std::chrono::steady_clock::now();
    if (paused) {
        state_ = State::paused;
        log::info("transfer", "{} paused at {} of {}", entry_.etag(), done(), entry_.size);
    } else {
        state_ = failure ? State::failed : State::landed;
        failure_ = failure;
        const auto place = owner_.flights_.find(entry_.etag());
        if (place != owner_.flights_.end() && place->second.get() == this) {
            if (failure && file_ && worth_keeping(failure)) {
                place->second = owner_.successor(*this);
            } else {
                owner_.flights_.erase(place);
            }
        }
    }
    changed_.notify_all();
    owner_.changed_.notify_all();
}

Awaitable<> Flight::bring() {
    const auto lock = co_await context_.store.lock_blob(asking().repo, entry_.etag());
    if (!force_) {
        const bool there = co_await already_there();
        if (there) {
            co_return;
        }
    }
    for (bool second_try = false;; second_try = true) {
        if (!file_) {
            co_await make_file();
            start_over(context_.options.piece_size);
        }
        co_await move_bytes();
        const std::string digest = hasher_->finish();
        if (digest == entry_.etag()) {
            break;
        }
        log::warning("transfer", "{} of {}: the bytes hash to {}, not to {}{}", entry_.path,
                     repo().name, digest, entry_.etag(), second_try ? "" : "; fetching it again");
        file_->discard();
        file_.reset();
        location_.reset();
        if (second_try) {
            throw Error{ErrorKind::integrity,
                        fmt::format("the bytes of {} do not have the hash that the Hub lists "
                                    "(fetched twice)",
                                    entry_.path),
                        "nothing was stored; a proxy or mirror on the way may damage files"};
        }
    }
    // Everything is there and right: a pause that comes now comes too late.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const hub::RepoId target = repo();
    co_await context_.store.publish(std::move(file_), target);
    log::info("transfer", "{} arrived: {} of {}, {}", entry_.etag(), entry_.path, target.name,
              format_size(entry_.size));
}

/// Bytes that nobody waits for any more make room for those that somebody does.
Awaitable<> Flight::make_file() {
    while (!file_) {
        std::exception_ptr full;
        try {
            file_ = co_await context_.store.open_partial(entry_.etag(), entry_.size,
                                                         context_.options.piece_size);
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::no_space) {
                throw;
            }
            full = std::current_exception();
        }
        if (full && !owner_.drop_unwanted()) {
            const bool freed = co_await context_.store.free_space(entry_.size);
            if (!freed) {
                std::rethrow_exception(full);
            }
        }
    }
}

Awaitable<bool> Flight::already_there() {
    const hub::FileSource source = asking();
    store::Entries wanted{entry_};
    const store::BroughtIn left =
        co_await context_.store.bring_in(source.repo, source.commit, std::move(wanted));
    if (!left.unverified.empty()) {
        const bool right = co_await context_.store.verify(source.repo, entry_);
        co_return right;
    }
    co_return left.missing.empty();
}

void Flight::start_over(std::uint64_t piece_size) {
    pieces_.emplace(entry_.size, std::max<std::uint64_t>(piece_size, 1));
    hasher_.emplace(entry_.etag(), entry_.size);
    hashed_ = 0;
    most_present_ = 0;
}

Awaitable<> Flight::move_bytes() {
    for (;;) {
        trouble_ = nullptr;
        ranges_ignored_ = false;
        async::TaskGroup workers{context_.executor};
        const auto count = std::min(context_.options.max_connections_per_file, pieces_->count());
        for (std::size_t i = 0; i < count; ++i) {
            workers.spawn("pieces of " + entry_.etag(), work());
        }
        std::exception_ptr failure;
        try {
            co_await hash_along();
        } catch (...) { // rethrown when the workers, who use this frame's flight, are gone
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
        co_await asio::this_coro::reset_cancellation_state();
        if (!ranges_ignored_) {
            co_return;
        }
        log::info("transfer", "the server ignores ranges: fetching {} in one go", entry_.etag());
        start_over(entry_.size);
    }
}

Awaitable<> Flight::hash_along() {
    while (hashed_ < entry_.size) {
        if (trouble_) {
            std::rethrow_exception(trouble_);
        }
        if (ranges_ignored_) {
            co_return;
        }
        const auto frontier = pieces_->frontier();
        if (frontier > hashed_ && (frontier - hashed_ >= hash_buffer || frontier == entry_.size)) {
            const auto end = std::min(frontier, hashed_ + hash_step);
            co_await context_.pool.run([this, end] { hash_range(*file_, *hasher_, hashed_, end); });
            hashed_ = end;
        } else {
            co_await changed_.wait_for(frontier_poll);
        }
    }
}

/// Takes pieces and fetches them until none is left, one cannot be had, or pieces turn out to be
/// the wrong way.
Awaitable<> Flight::work() {
    try {
        while (!ranges_ignored_) {
            Piece* piece = pieces_->take();
            if (piece == nullptr) {
                co_return;
            }
            const ScopeExit give_back{[this, piece] { pieces_->give_back(*piece); }};
            while (!piece->complete() && !ranges_ignored_) {
                co_await fetch_one(*piece);
            }
            changed_.notify_all(); // the frontier may have moved far
        }
    } catch (...) { // rethrown by hash_along(), which would wait for us for ever
        trouble_ = std::current_exception();
        changed_.notify_all();
    }
}

/// One try at what a piece lacks, and the wait after a failed one.
Awaitable<> Flight::fetch_one(Piece& piece) {
    // One asks the Hub where the bytes are; the others wait for what it hears.
    while (!location_ && locating_) {
        co_await changed_.wait();
    }
    const hub::FileSource source = asking();
    const bool locates = !location_;
    locating_ = locating_ || locates;
    const ScopeExit located{[this, locates] {
        if (locates) {
            locating_ = false;
            changed_.notify_all();
        }
    }};
    const auto used = location_;
    std::optional<Error> failed = co_await try_order(order_for(piece, source));
    if (const auto present = pieces_->present(); present > most_present_) {
        most_present_ = present;
        retry_.progress();
    }
    if (failed) {
        co_await recover(std::move(*failed), source, used);
    }
}

PieceOrder Flight::order_for(Piece& piece, const hub::FileSource& source) {
    return {.source = source,
            .etag = entry_.etag(),
            .size = entry_.size,
            .location = location_,
            .file = file_.get(),
            .piece = &piece,
            .whole_file = pieces_->count() == 1,
            .located = location_listener(source.token)};
}

std::string Flight::host_of(const std::optional<net::Url>& location) const {
    return location ? location->authority() : owner_.endpoint_host();
}

/// Waits for the host's patience and a connection's place, then lets a lane carry out the order.
/// The error that ended it, if one did.
Awaitable<std::optional<Error>> Flight::try_order(PieceOrder order) {
    const std::string host = host_of(order.location);
    const hub::Token token = order.source.token;
    co_await context_.gate.pass(host, token, note_, retry_.longest_asked());
    const auto overall = co_await owner_.all_connections_.acquire();
    const auto per_host = co_await owner_.host_limit(host).acquire();
    if (context_.gate.is_closed(host, token)) {
        co_return std::nullopt; // closed meanwhile: wait without keeping others from connecting
    }
    auto& lane = context_.lanes.pick();
    ++lane.busy;
    const ScopeExit idle{[&lane] { --lane.busy; }};
    try {
        const PieceOutcome outcome =
            co_await async::run_on(lane.executor, fetch_piece(lane.hub, std::move(order)));
        ranges_ignored_ = ranges_ignored_ || outcome.range_ignored;
    } catch (const hub::RefusedElsewhere& error) {
        context_.gate.learn(error.host(), token, error);
        co_return error;
    } catch (const Error& error) {
        context_.gate.learn(host, token, error);
        co_return error;
    }
    co_return std::nullopt;
}

/// Brings the news of a lane to the control thread, and to this flight if it still is the asker's
/// whose token the location was signed for.
std::function<void(const net::Url&)> Flight::location_listener(hub::Token token) {
    return [executor = context_.executor, flight = weak_from_this(),
            token = std::move(token)](const net::Url& location) {
        asio::post(executor, [flight, token, location] {
            const auto self = flight.lock();
            if (self && self->askers_.lead() != nullptr && self->askers_.lead()->token == token) {
                self->location_ = location;
                self->changed_.notify_all();
            }
        });
    };
}

/// Waits before the next try, or throws the error because there shall be none. `used`: the
/// location that the failed try went to.
Awaitable<> Flight::recover(Error error, hub::FileSource source, std::optional<net::Url> used) {
    if (askers_.refuse(source, error)) {
        location_.reset();
        changed_.notify_all();
        log::info("transfer", "{}: {}; going on for others", entry_.etag(), error.message());
        co_return;
    }
    if (used && error.kind() != ErrorKind::rate_limited) {
        if (location_ && location_->to_string() == used->to_string()) {
            location_.reset();
        }
        if (error.kind() == ErrorKind::unavailable && !error.retry_after()) {
            co_return; // most likely the signature expired: ask the Hub anew, at once
        }
    }
    // An outage hits all connections of the file: that is one failure, not one for each.
    const auto now = std::chrono::steady_clock::now();
    const bool counted = now < retry_at_;
    const auto delay = retry_.next(error, counted);
    if (!delay) {
        throw error.with_context(fmt::format("fetching {}", entry_.path));
    }
    if (context_.gate.is_closed(host_of(location_), source.token)) {
        co_return; // there we wait, and say how long
    }
    if (!counted) {
        retry_at_ = now + *delay;
    }
    log::warning("transfer", "{}: {}; trying again in {} ms", entry_.path, error.message(),
                 delay->count());
    note_->reason = fmt::format("{}; trying again", error.message());
    const ScopeExit healed{[this] { note_->reason.clear(); }};
    co_await async::sleep_for(*delay);
}

} // namespace wharf::transfer
