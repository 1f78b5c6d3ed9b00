#pragma once

#include "daemon/scheduling/bandwidth_limits.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

namespace wharf::scheduling {

/// What is there to be shared out now, in bytes. Users that are not named have no bound.
struct Budget {
    static constexpr std::uint64_t unbounded = std::numeric_limits<std::uint64_t>::max();

    std::uint64_t all = unbounded;
    std::array<std::uint64_t, priorities> by_class{unbounded, unbounded, unbounded};
    std::map<uid_t, std::uint64_t> by_user;
};

/// What one fetch could use at most.
struct Claim {
    Claimant who;
    std::uint64_t room = 0;
    /// Of what it got last time it did not use this, which is in the budget again.
    std::uint64_t returned = 0;
};

/// Shares a budget out among claims, in their order. Between classes by weight (8:4:1), in a class
/// equally between users, of a user equally between his claims; what one cannot use goes to the
/// others (weighted max-min). What came back is first offered to the same user in the same class,
/// so that nobody's share suffers from having been spread over the wrong ones of his fetches.
/// Exceeds no bound and no claim's room; and leaves nothing that some
/// claim could still use. Requires: the rooms add up to less than 2^60.
std::vector<std::uint64_t> share_out(Budget budget, std::span<const Claim> claims);

} // namespace wharf::scheduling
