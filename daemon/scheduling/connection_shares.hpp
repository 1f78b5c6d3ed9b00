#pragma once

#include "daemon/scheduling/claimant.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace wharf::scheduling {

/// A number for each class, the most urgent first.
using PerClass = std::array<std::size_t, priorities>;

/// How many of `slots` each class may use when they want `demand`. What a class does not want is
/// for the more urgent only: a less urgent one with more connections would slow the bytes of the
/// urgent ones on the same link. Every class that wants any gets one, the most urgent first if
/// there are fewer slots than classes.
PerClass class_shares(std::size_t slots, const PerClass& demand);

/// How many of `slots` each may use so that nobody has less than another who wants as much (max-min
/// shares). A remainder that cannot be shared equally belongs to nobody.
std::vector<std::size_t> even_shares(std::size_t slots, std::span<const std::size_t> demand);

/// What one user has and wants of a class, on a host or overall.
struct ConnectionUse {
    Claimant who;
    std::size_t held = 0;    ///< without those asked back
    std::size_t asked = 0;   ///< asked back and still held
    std::size_t waiting = 0; ///< claims that could use a slot
    /// Who is next: the lower goes first. A connection more raises it by one.
    std::uint64_t turn = 0;
    std::size_t recall = 0; ///< the answer of plan_recalls
};

/// Says in `recall` how many connections to ask back from each, so that who waits comes to his
/// share. Asks for none that its place in the queue would win again, so that asking comes to rest.
void plan_recalls(std::span<ConnectionUse> uses, std::size_t slots);

} // namespace wharf::scheduling
