#pragma once

#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/semaphore.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/store/store.hpp"
#include "daemon/transfer/askers.hpp"
#include "daemon/transfer/lanes.hpp"
#include "daemon/transfer/rate_gate.hpp"
#include "daemon/transfer/retry.hpp"

#include <cstddef>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace wharf::transfer {

class Flight;

struct FlightOptions {
    std::uint64_t piece_size = 16 << 20;
    std::ptrdiff_t max_connections = 32;
    std::ptrdiff_t max_connections_per_host = 16;
    std::size_t max_connections_per_file = 4;
    RetryPolicy retry;
    std::chrono::hours keep_paused{24}; ///< how long a paused flight keeps its bytes
};

/// What all flights share.
struct FlightContext {
    Executor executor; ///< the control thread's
    Lanes& lanes;
    store::Store& store;
    async::BlockingPool& pool;
    RateGate& gate;
    net::Url endpoint;
    FlightOptions options;
};

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
    /// refusal of this asker.
    Awaitable<> landed();

    /// Bytes of the blob that are there.
    std::uint64_t done() const noexcept;

    /// Why the flight waits; empty when it does not.
    const std::string& reason() const noexcept;

    /// Changes how urgent this asker's bytes are, from the next piece on.
    void set_priority(Priority priority) noexcept { place_->claimant.priority = priority; }

  private:
    std::shared_ptr<Flight> flight_;
    Askers::Place place_;
};

/// All transfers of the box: one flight per blob however many ask. Control thread.
class Flights {
  public:
    explicit Flights(FlightContext context);

    /// Requires: stop() has returned, or the executor does not run any more.
    ~Flights();

    /// Joins the blob's flight, or starts it. `force` fetches the blob even if the store has it.
    std::unique_ptr<Ticket> join(hub::FileSource source, hub::TreeEntry entry, bool force,
                                 Claimant claimant = {});

    std::vector<FlightStatus> status() const;

    /// Cancels all flights and waits until they have ended.
    Awaitable<> stop();

    /// Changes limits for what starts from now on.
    void set_options(FlightOptions options);

  private:
    friend class Flight;
    async::Semaphore& host_limit(const std::string& host);
    std::string endpoint_host() const;
    /// A paused flight with the bytes of one that failed for a reason that may pass.
    std::shared_ptr<Flight> successor(Flight& failed);
    void drop_stale();
    /// Gives up the bytes of flights that nobody waits for; false if there were none.
    bool drop_unwanted();

    FlightContext context_;
    async::Semaphore all_connections_;
    std::map<std::string, std::unique_ptr<async::Semaphore>> host_connections_;
    std::map<std::string, std::shared_ptr<Flight>> flights_; ///< by etag; running and paused
    std::size_t running_ = 0;
    bool stopping_ = false;
    async::Event changed_;
};

} // namespace wharf::transfer
