#pragma once

#include <compare>
#include <sys/types.h>

namespace wharf::transfer {

/// How urgent somebody's bytes are: a class of the scheduler. The more urgent comes first.
enum class Priority { interactive, normal, background };

/// On whose account a connection is used and bytes are moved.
struct Claimant {
    uid_t uid = 0;
    Priority priority = Priority::normal;

    auto operator<=>(const Claimant&) const = default;
};

} // namespace wharf::transfer
