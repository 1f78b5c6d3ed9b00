#pragma once

#include "base/digest.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/transfer/flights.hpp"
#include "daemon/transfer/piece_fetch.hpp"
#include "daemon/transfer/piece_map.hpp"

#include <exception>
#include <optional>

namespace wharf::transfer {

/// One blob on its way to the cache. The control thread owns it; pieces are fetched on the lanes,
/// and the hash is computed on the blocking pool while bytes arrive: it follows the frontier (all
/// bytes below it are there) and reads them back from the page cache, so that no buffers are handed
/// around and a resumed flight needs no other code than a new one.
class Flight : public std::enable_shared_from_this<Flight> {
  public:
    enum class State { running, paused, landed, failed };

    Flight(Flights& owner, hub::TreeEntry entry, bool force);

    /// The source of the first asker who was not refused is the one used.
    Askers::Place add(hub::FileSource source, Claimant claimant);
    void leave(Askers::Place place);

    /// Starts, or goes on after a pause. Requires: not running, at least one asker.
    void start();
    void cancel();

    /// Takes over the bytes of a flight that has ended.
    void inherit(Flight& ended) noexcept;

    /// Throws what made the flight fail, or the asker's refusal.
    Awaitable<> landed(Askers::Place place);

    State state() const noexcept { return state_; }
    const hub::TreeEntry& entry() const noexcept { return entry_; }
    const Askers& askers() const noexcept { return askers_; }
    const std::string& reason() const noexcept { return note_->reason; }
    std::uint64_t done() const noexcept;
    std::chrono::steady_clock::time_point paused_since() const noexcept { return paused_since_; }

  private:
    Awaitable<> run(std::shared_ptr<Flight> self);
    Awaitable<> bring();
    Awaitable<bool> already_there();
    Awaitable<> make_file();
    Awaitable<> move_bytes();
    Awaitable<> hash_along();
    Awaitable<> work();
    Awaitable<> fetch_one(Piece& piece);
    Awaitable<std::optional<Error>> try_order(PieceOrder order);
    PieceOrder order_for(Piece& piece, const hub::FileSource& source);
    std::function<void(const net::Url&)> location_listener(hub::Token token);
    Awaitable<> recover(Error error, hub::FileSource source, std::optional<net::Url> used);
    const hub::FileSource& asking() const;
    const hub::RepoId& repo() const noexcept;
    std::string host_of(const std::optional<net::Url>& location) const; ///< whom to ask for bytes
    void start_over(std::uint64_t piece_size);
    void end(std::exception_ptr failure);

    Flights& owner_;
    const FlightContext& context_;
    hub::TreeEntry entry_;
    bool force_;
    State state_ = State::paused;
    Askers askers_;
    hub::RepoId last_repo_; ///< where to publish when the last asker left at the last moment
    std::unique_ptr<async::TaskGroup> task_;
    std::exception_ptr failure_;
    async::Event changed_;
    std::shared_ptr<WaitNote> note_ = std::make_shared<WaitNote>();
    std::chrono::steady_clock::time_point paused_since_;

    std::unique_ptr<store::PartialFile> file_;
    std::optional<PieceMap> pieces_;
    std::optional<BlobHasher> hasher_;
    std::uint64_t hashed_ = 0;
    std::uint64_t most_present_ = 0;   ///< what counts as progress: more than ever before
    std::optional<net::Url> location_; ///< where the bytes are, by an answer of the Hub
    bool locating_ = false;            ///< somebody asks the Hub for the location
    std::exception_ptr trouble_;       ///< what a worker could not recover from
    bool ranges_ignored_ = false;
    Retry retry_;
    std::chrono::steady_clock::time_point retry_at_; ///< failures before this are one with the last
};

} // namespace wharf::transfer
