#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/scheduling/claimant.hpp"
#include "daemon/scheduling/connection_line.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wharf {
class Error;
} // namespace wharf

namespace wharf::scheduling {

struct ConnectionGrant;

/// Decides who gets the next connection for file contents, and how many a host gets. Users of one
/// class get equal bytes of a host, classes get connections by weight, and a host gets more
/// connections as long as they bring more bytes: docs/decisions/0009. Control thread.
class Connections {
  public:
    using Clock = std::chrono::steady_clock;

    /// At least 1 each.
    struct Limits {
        std::size_t overall = 32;
        std::size_t per_host = 16;
    };

    /// What a connection is wanted for. It keeps its place in the queue with the class it came
    /// with: a change of priority applies from the next claim on.
    struct Claim {
        Claimant who;
        std::string host;
        std::uint64_t bytes = 0; ///< what the piece still lacks
    };

    using Line = ConnectionLine;

    /// The right to use one connection until destroyed, which may be after Connections is gone.
    class Permit;

    struct HostStatus {
        std::string host;
        std::size_t in_use = 0;
        std::size_t target = 0; ///< how many it may have now
        std::size_t waiting = 0;
    };

    explicit Connections(Limits limits);
    Connections(const Connections&) = delete;
    Connections& operator=(const Connections&) = delete;
    ~Connections();

    /// Waits for a connection's place. Throws operation_aborted when the task is cancelled.
    Awaitable<Permit> acquire(Claim claim);

    /// Those in use above the new limits run out by themselves.
    void set_limits(Limits limits);

    /// Measures, adapts and asks back. To be called about five times a second while anything is
    /// in use or waits; costs nothing when nothing is.
    void tick(Clock::time_point now);

    std::vector<HostStatus> status() const; ///< hosts in use or waited for

  private:
    class State;

    std::shared_ptr<State> state_; // shared with permits, which may end after us
};

class Connections::Permit {
  public:
    Permit() noexcept = default;
    Permit(Permit&& other) noexcept = default;
    Permit& operator=(Permit&& other) noexcept;
    ~Permit();

    /// For the thread that fetches. Requires: holds a connection.
    std::shared_ptr<Line> line() const noexcept;

    /// The fetch ended with this error: one that speaks of the host or the way to it (network,
    /// unavailable, rate_limited) lowers the host's number of connections.
    void failed(const Error& error) noexcept;

    /// Gives it back now.
    void release() noexcept;

    explicit operator bool() const noexcept { return state_ != nullptr; }

  private:
    friend class Connections;
    Permit(std::shared_ptr<State> state, ConnectionGrant& grant) noexcept
        : state_{std::move(state)}, grant_{&grant} {}

    std::shared_ptr<State> state_; ///< empty: holds nothing
    ConnectionGrant* grant_ = nullptr;
};

} // namespace wharf::scheduling
