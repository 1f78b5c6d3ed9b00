#pragma once

#include "daemon/scheduling/connection_line.hpp"
#include "daemon/scheduling/connection_shares.hpp"
#include "daemon/scheduling/connection_tuner.hpp"
#include "daemon/scheduling/fair_queue.hpp"

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace wharf::scheduling {

class HostConnections;

/// A claim that waits for a connection to a host.
struct ConnectionWaiter : FairQueue::Entry {
    Priority priority = Priority::normal;
};

/// A connection in use. Belongs to its host's list.
struct ConnectionGrant {
    using Clock = ConnectionTuner::Clock;

    HostConnections& host;
    Claimant who;
    std::uint64_t bytes; ///< what was claimed
    FairQueue::Charge charge;
    std::shared_ptr<ConnectionLine> line = std::make_shared<ConnectionLine>();
    std::optional<Clock::time_point> since; ///< of the first tick that saw it
    std::list<ConnectionGrant>::iterator place;

    /// Whether asking it back is worth it: not if it has only begun (a request that brings nothing
    /// is lost), nor if it will end by itself in no time.
    bool worth_asking(Clock::time_point now) const noexcept;
};

/// What all users have and want, by claimant.
using ConnectionUses = std::map<Claimant, ConnectionUse>;

/// One host: who waits for it, who uses it, how many connections it gets. Pure: neither waits nor
/// reads clocks. Control thread.
class HostConnections {
  public:
    using Clock = ConnectionTuner::Clock;

    HostConnections(std::string name, std::size_t most) : name_{std::move(name)}, tuner_{most} {}
    HostConnections(const HostConnections&) = delete;
    HostConnections& operator=(const HostConnections&) = delete;

    const std::string& name() const noexcept { return name_; }
    std::size_t in_use() const noexcept { return grants_.size(); }
    std::size_t waiting() const noexcept;
    std::size_t held(std::size_t which) const noexcept { return queues_[which].served(); }
    std::size_t waiting(std::size_t which) const noexcept { return queues_[which].waiting(); }
    ConnectionTuner& tuner() noexcept { return tuner_; }
    const ConnectionTuner& tuner() const noexcept { return tuner_; }
    std::list<ConnectionGrant>& grants() noexcept { return grants_; } ///< oldest first

    void push(ConnectionWaiter& waiter);
    void withdraw(ConnectionWaiter& waiter);

    /// What a class wants here. For a moment after it wanted something that counts as one: between
    /// two files of an urgent user nothing shall be given to others that must be asked back.
    std::size_t demand(std::size_t which) const noexcept;

    /// How many connections more a class may use now.
    std::size_t room(std::size_t which) const;

    /// Who would get a connection now, if a class may have `most` of each; null when nobody may.
    ConnectionWaiter* next(const PerClass& most) const;

    /// Gives `waiter` a connection. Requires: next() has just returned it.
    ConnectionGrant& grant(ConnectionWaiter& waiter);

    /// The end of a grant, which is gone then.
    void end(ConnectionGrant& grant);

    /// Counts what has come, adapts the number of connections, and asks some back.
    void tick(Clock::time_point now);

    /// Adds to `uses` what users have here and could have more.
    void add_uses(ConnectionUses& uses) const;

    /// Asks back as many of a claimant's connections as can be and shall be; returns how many.
    std::size_t recall(const Claimant& who, std::size_t count, Clock::time_point now);

    std::uint64_t last_grant = 0;                    ///< when in the order of all grants
    std::optional<Clock::time_point> unused_since{}; ///< by the ticks

  private:
    void book(ConnectionGrant& grant);
    void charge_class(std::size_t which, std::uint64_t before, std::uint64_t after);

    std::string name_;
    std::array<FairQueue, priorities> queues_;
    std::array<double, priorities> class_charges_{}; ///< bytes by weight
    double class_start_ = 0;                         ///< where a class begins that comes anew
    std::list<ConnectionGrant> grants_;
    ConnectionTuner tuner_;
    std::uint64_t work_ = 0; ///< for the tuner

    struct Presence {
        bool claimed = false; ///< since the last tick
        Clock::time_point until;
    };
    void note_presence(Clock::time_point now);

    std::array<Presence, priorities> presence_;
    Clock::time_point now_; ///< of the last tick
};

} // namespace wharf::scheduling
