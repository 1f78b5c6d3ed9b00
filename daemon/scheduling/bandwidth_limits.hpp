#pragma once

#include "daemon/scheduling/claimant.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>

namespace wharf::scheduling {

/// How fast bytes may move in one direction, in bytes per second; 0 is no limit. All that apply to
/// a fetch hold at the same time.
struct BandwidthLimits {
    std::uint64_t all = 0;
    std::array<std::uint64_t, priorities> by_class{}; ///< as in Priority
    std::map<uid_t, std::uint64_t> by_user{};         ///< over all classes

    bool operator==(const BandwidthLimits&) const = default;
};

} // namespace wharf::scheduling
