#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <sys/types.h>

namespace wharf::scheduling {

/// How urgent somebody's bytes are: a class of the scheduler. The more urgent comes first.
enum class Priority { interactive, normal, background };

inline constexpr std::size_t priorities = 3;

/// The class's place in what has one entry for each, the most urgent first.
constexpr std::size_t index(Priority priority) noexcept {
    return static_cast<std::size_t>(priority);
}

/// What classes count beside each other, for connections as for bytes. A person who waits at a
/// terminal shall notice background work no more than by a tenth (8 of 9), and a queue of jobs
/// leave a person two thirds (8 of 12); a prefetch beside them all still moves (1 of 13), so it
/// ends some day.
inline constexpr std::array<std::size_t, priorities> class_weights{8, 4, 1};

/// On whose account a connection is used and bytes are moved.
struct Claimant {
    uid_t uid = 0;
    Priority priority = Priority::normal;

    auto operator<=>(const Claimant&) const = default;
};

} // namespace wharf::scheduling
