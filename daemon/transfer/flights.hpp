#pragma once

#include "daemon/async/event.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/transfer/askers.hpp"
#include "daemon/transfer/transfer_context.hpp"

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

namespace wharf::transfer {

class Flight;

/// How far a flight is, for lists.
struct FlightStatus {
    std::string etag;
    hub::RepoId repo;
    std::string path;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
    std::size_t askers = 0;
};

/// One asker's place in a flight. Giving it up (destroying it) leaves the flight; the last one to
/// leave pauses it. Control thread.
class Ticket {
  public:
    Ticket(std::shared_ptr<Flight> flight, Askers::Place place);
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    ~Ticket();

    /// Returns once the blob is published in some repo; throws what made the flight fail, or the
    /// refusal of this asker. Names this asker's path and nothing of what others asked for.
    Awaitable<> landed();

    /// Bytes of the blob that are there.
    std::uint64_t done() const noexcept;

    /// Why the flight waits; empty when it does not. Names hosts only.
    const std::string& reason() const noexcept;

    /// Changes how urgent this asker's bytes are, from the next piece on.
    void set_priority(scheduling::Priority priority) noexcept {
        place_->claimant.priority = priority;
    }

  private:
    std::shared_ptr<Flight> flight_;
    Askers::Place place_;
};

/// All transfers of the box: one flight per blob however many ask. Control thread.
class Flights {
  public:
    explicit Flights(TransferContext context);

    /// Requires: stop() has returned, or the executor does not run any more.
    ~Flights();

    /// Joins the blob's flight, or starts it. `force` fetches the blob even if the store has it.
    std::unique_ptr<Ticket> join(hub::FileSource source, hub::TreeEntry entry, bool force,
                                 scheduling::Claimant claimant = {});

    /// All that are running; or those that one account waits for, as it knows them: by its own repo
    /// and path, which may be others than those that we ask by, and with its own askers.
    std::vector<FlightStatus> status() const;
    std::vector<FlightStatus> status_for(uid_t uid) const;

    /// Closes the files of flights that nobody waits for, so that the store can remove them.
    void drop_paused();

    /// Cancels all flights and waits until they have ended.
    Awaitable<> stop();

    /// For what starts from now on.
    void set_options(TransferOptions options) { context_.options = options; }

  private:
    friend class Flight;
    /// Whether the store may have the blob although the asker was told that it has not: somebody
    /// else may have brought it since.
    bool may_be_held(const std::string& etag) const;
    void ended(const Flight& flight);
    void drop_stale();

    TransferContext context_;
    std::map<std::string, std::shared_ptr<Flight>> flights_; ///< by etag; running and paused
    std::unordered_set<std::string> landed_;                 ///< etags; see may_be_held()
    bool landed_is_whole_ = true;                            ///< none was forgotten
    std::size_t running_ = 0;
    bool stopping_ = false;
    async::Event changed_;
};

} // namespace wharf::transfer
