#pragma once

#include "base/error.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace wharf::scheduling {

/// How often and after how long a failed request is tried again. Pure: no clock, no network.
struct RetryPolicy {
    /// Failures in a row, without progress between them, after which we give up.
    unsigned max_failures = 6;
    /// Delay after the first failure; doubles with each further one.
    std::chrono::milliseconds initial{500};
    /// The doubling ends here. A delay that the peer named is not cut by it.
    std::chrono::milliseconds ceiling{8'000};
    /// A peer that asks us to wait longer than this is not waited for.
    std::chrono::seconds longest_asked{600};
};

/// The record of one undertaking's failures.
class Retry {
  public:
    /// `seed` feeds the jitter, which keeps many transfers from trying again in step.
    Retry(RetryPolicy policy, std::uint64_t seed) noexcept : policy_{policy}, random_{seed} {}

    /// How long to wait before the next try; none: this error will not heal, or was met too often.
    /// Being asked to wait for a time (429) never uses up the tries; a garbled answer uses up two:
    /// such answers seldom pass; an error that is_lasting() uses up half of them, so that it is met
    /// twice and then told. `counted`: the failure belongs to one that was told already, as
    /// when all connections of a file break at once.
    std::optional<std::chrono::milliseconds> next(const Error& error,
                                                  bool counted = false) noexcept;

    /// A peer that asks for more is not waited for.
    std::chrono::seconds longest_asked() const noexcept { return policy_.longest_asked; }

    /// Something useful arrived: earlier failures are forgiven.
    void progress() noexcept { failures_ = 0; }

  private:
    unsigned weight(const Error& error) const noexcept;

    RetryPolicy policy_;
    std::uint64_t random_;
    unsigned failures_ = 0;
};

} // namespace wharf::scheduling
