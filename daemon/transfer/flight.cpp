// A flight's life: `run` is one task from start() to landing, failure or pause. Inside it `bring`
// takes the official client's lock, looks whether somebody else brought the blob meanwhile, moves
// the bytes and publishes. A pause cancels the task; what was moved so far stays, and the next
// start() goes on from there.
#include "daemon/transfer/flight.hpp"

#include "base/log.hpp"
#include "base/units.hpp"
#include "daemon/async/cancellation.hpp"
#include "daemon/hub/hub_error.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace wharf::transfer {

namespace {

/// Blobs up to this size come in one request into memory, are checked there, and take the shortest
/// way to the disk. As many of them are in memory at once as jobs fetch files at once.
constexpr std::uint64_t small_blob = 256 << 10;

/// Bytes that differ on the disk from what was received are fetched again so often.
constexpr int most_repairs = 2;

/// A small piece makes a slow connection hold up the end of a file for less, and a crash cost less;
/// but what is kept of each in memory and on disk shall be little even for the largest files.
std::uint64_t usual_piece_size(std::uint64_t file_size) noexcept {
    constexpr std::uint64_t least = 256 << 10; // one read
    constexpr std::uint64_t most = 16 << 20;
    constexpr std::uint64_t pieces = 4096;
    return std::clamp(file_size / pieces, least, most);
}

/// Errors of the store, as opposed to those of Supply and of our own.
bool may_name_files(ErrorKind kind) noexcept {
    return kind == ErrorKind::storage || kind == ErrorKind::no_space ||
           kind == ErrorKind::invalid_request || kind == ErrorKind::internal;
}

} // namespace

Flight::Flight(Flights& owner, hub::TreeEntry entry, bool force)
    : owner_{owner}, context_{owner.context_}, entry_{std::move(entry)}, force_{force} {}

Askers::Place Flight::add(hub::FileSource source, scheduling::Claimant claimant) {
    return askers_.add(std::move(source), claimant);
}

void Flight::leave(Askers::Place place) {
    if (askers_.leave(place) && supply_) {
        supply_->forget_location(); // it was signed for that asker
    }
    if (askers_.lead() == nullptr) { // those who were refused and have not noticed yet do not count
        cancel();
    }
}

void Flight::start() {
    state_ = State::running;
    failure_ = nullptr;
    supply_ =
        std::make_shared<Supply>(context_, entry_, askers_, [this] { changed_.notify_all(); });
    ++owner_.running_;
    task_ = std::make_unique<async::TaskGroup>(context_.executor);
    task_->spawn("flight " + entry_.etag(), run(shared_from_this()));
}

void Flight::cancel() {
    if (state_ == State::running) {
        task_->cancel();
    }
}

const std::string& Flight::reason() const noexcept {
    static const std::string none;
    return supply_ ? supply_->reason() : none;
}

std::uint64_t Flight::done() const noexcept {
    if (state_ == State::landed) {
        return entry_.size;
    }
    return transfer_ ? transfer_->present() : 0;
}

Awaitable<> Flight::landed(Askers::Place place) {
    const auto self = shared_from_this();
    while (state_ != State::landed && state_ != State::failed && !place->refusal) {
        co_await changed_.wait();
    }
    if (!failure_ && !place->refusal) {
        co_return;
    }
    try {
        std::rethrow_exception(place->refusal ? place->refusal : failure_);
    } catch (const Error& error) {
        throw(place->refusal ? error : told_to(place->source, error))
            .with_context(fmt::format("fetching {}", place->source.path));
    }
}

/// What comes from the store names files, and so the repo that it works for.
Error Flight::told_to(const hub::FileSource& asker, const Error& error) const {
    const bool own =
        asker.repo == target_.repo && asker.commit == target_.commit && asker.path == target_.path;
    if (own || !may_name_files(error.kind())) {
        return error;
    }
    return Error{error.kind(), "it could not be put into the cache",
                 error.kind() == ErrorKind::no_space
                     ? "free some space on the cache's disk, then try again"
                     : "the daemon's log says why"};
}

void Flight::log_failure() const {
    try {
        std::rethrow_exception(failure_);
    } catch (const std::exception& error) {
        log::warning("transfer", "{} for {}: {}", entry_.etag(), describe(target_.repo),
                     error.what());
    }
}

const hub::FileSource& Flight::target() {
    if (const auto* lead = askers_.lead()) {
        target_ = *lead;
        target_.token = {};
    }
    return target_;
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
    const bool paused = failure && async::is_cancellation(failure);
    if (paused && askers_.lead() != nullptr && !owner_.stopping_) {
        start(); // somebody came while we were stopping for want of askers
        return;
    }
    supply_.reset();
    paused_since_ = std::chrono::steady_clock::now();
    if (paused) {
        state_ = State::paused;
        log::info("transfer", "{} paused at {} of {}", entry_.etag(), done(), entry_.size);
    } else {
        state_ = failure ? State::failed : State::landed;
        failure_ = failure;
        if (failure) {
            log_failure();
        }
        transfer_.reset(); // the next flight goes on from what is on the disk
        owner_.ended(*this);
    }
    changed_.notify_all();
    owner_.changed_.notify_all();
}

Awaitable<> Flight::bring() {
    static_cast<void>(askers_.asking()); // throws when nobody asks any more
    const hub::RepoId folder = target().repo;
    const auto lock = co_await context_.store.lock_blob(folder, entry_.etag());
    if (!force_ && owner_.may_be_held(entry_.etag())) {
        const bool there = co_await already_there();
        if (there) {
            co_return;
        }
    }
    if (entry_.size <= small_blob) {
        co_await bring_small();
    } else {
        co_await bring_large();
    }
    log::debug("transfer", "{} arrived: {} of {}, {}", entry_.etag(), target_.path,
               target_.repo.name, format_size(entry_.size));
}

Awaitable<bool> Flight::already_there() {
    const hub::FileSource source = target();
    hub::TreeEntry own = entry_;
    own.path = source.path;
    store::Entries wanted{own};
    const store::BroughtIn left =
        co_await context_.store.bring_in(source.repo, source.commit, std::move(wanted));
    if (!left.unverified.empty()) {
        const bool right = co_await context_.store.verify(source.repo, own);
        co_return right;
    }
    co_return left.missing.empty();
}

namespace {

Error wrong_bytes() {
    return Error{ErrorKind::integrity,
                 "its bytes do not have the hash that the Hub lists (fetched twice)",
                 "nothing was stored; a proxy or mirror on the way may damage files"};
}

} // namespace

Awaitable<FetchedBytes> Flight::fetch_small() {
    FetchedBytes fetched;
    const auto fetch = [&fetched](Lanes::Lane& lane, FetchOrder order) {
        return fetch_bytes(lane.hub, std::move(order), &fetched);
    };
    for (;;) {
        auto failure = co_await supply_->try_once(entry_.size, fetch);
        if (!failure) {
            co_return fetched;
        }
        co_await supply_->recover(*std::move(failure));
    }
}

Awaitable<> Flight::bring_small() {
    for (bool second_try = false;; second_try = true) {
        FetchedBytes fetched = co_await fetch_small();
        if (fetched.digest == entry_.etag()) {
            // A pause that comes now comes too late.
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            const hub::RepoId folder = target().repo;
            co_await context_.store.publish_bytes(entry_.etag(), std::move(fetched.content),
                                                  folder);
            co_return;
        }
        log::warning("transfer", "the bytes of {} hash to {}, not to {}", entry_.path,
                     fetched.digest, entry_.etag());
        supply_->forget_location();
        if (second_try) {
            throw wrong_bytes();
        }
    }
}

Awaitable<> Flight::bring_large() {
    for (bool second_try = false;; second_try = true) {
        const bool right = co_await move_bytes();
        if (right) {
            break;
        }
        auto file = transfer_->take_file();
        transfer_.reset();
        co_await context_.store.discard(std::move(file));
        supply_->forget_location();
        if (second_try) {
            throw wrong_bytes();
        }
    }
    // A pause that comes now comes too late.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    const hub::RepoId folder = target().repo;
    co_await context_.store.publish(transfer_->take_file(), folder);
}

/// Whether what came is right. Pieces that the disk did not keep are fetched again; of what the Hub
/// sent, nobody can tell which part was wrong.
Awaitable<bool> Flight::move_bytes() {
    if (!transfer_) {
        auto file = co_await open_file();
        transfer_ = std::make_unique<FileTransfer>(context_, entry_, std::move(file));
    }
    for (int repairs = 0;; ++repairs) {
        co_await transfer_->run(*supply_);
        if (transfer_->is_right()) {
            co_return true;
        }
        const bool repairable = co_await transfer_->drop_damaged();
        if (!repairable || repairs == most_repairs) {
            co_return false;
        }
    }
}

/// Bytes that nobody waits for any more make room for those that somebody does.
Awaitable<std::unique_ptr<store::PartialFile>> Flight::open_file() {
    for (;;) {
        std::exception_ptr full;
        try {
            const auto piece_size =
                context_.options.piece_size.value_or(usual_piece_size(entry_.size));
            auto file =
                co_await context_.store.open_partial(entry_.etag(), entry_.size, piece_size);
            co_return file;
        } catch (const Error& error) {
            if (error.kind() != ErrorKind::no_space) {
                throw;
            }
            full = std::current_exception();
        }
        owner_.drop_paused();
        const bool freed = co_await context_.store.free_space(entry_.size);
        if (!freed) {
            std::rethrow_exception(full);
        }
    }
}

} // namespace wharf::transfer
