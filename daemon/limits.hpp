#pragma once

#include "daemon/scheduling/bandwidth_limits.hpp"

#include <array>
#include <bitset>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// How much bandwidth there is at which time, as configured in [limits], and for whom.
namespace wharf {

/// Rates of one direction in bytes per second. 0 is no limit; none says nothing, so that what
/// holds otherwise stays.
struct Rates {
    std::optional<std::uint64_t> all;
    std::array<std::optional<std::uint64_t>, scheduling::priorities> by_class; ///< as in Priority
    std::map<std::string, std::uint64_t> by_user; ///< names or numbers of users
    bool operator==(const Rates&) const = default;
};

/// Rates of both directions, which have nothing to do with each other.
struct TwoWayRates {
    Rates download;
    Rates upload = {};
    bool operator==(const TwoWayRates&) const = default;
};

/// Rates for some hours of some days.
struct LimitsPeriod {
    std::bitset<7> days{0x7f};        ///< on which it begins; bit 0 is Monday
    std::chrono::minutes from{0};     ///< since midnight
    std::chrono::minutes to{24 * 60}; ///< not after `from`: on the next day
    TwoWayRates rates;
    bool operator==(const LimitsPeriod&) const = default;
};

struct Limits {
    TwoWayRates always{.download = {.all = 0, .by_class = {}, .by_user = {}},
                       .upload = {.all = 0, .by_class = {}, .by_user = {}}};
    std::vector<LimitsPeriod> schedule; ///< of those that name the same rate the last wins
    bool operator==(const Limits&) const = default;
};

/// What the clock on the wall shows.
struct WallTime {
    std::size_t weekday = 0; ///< 0 is Monday
    std::chrono::minutes time_of_day{0};
};

/// In the machine's time zone, also when that has been changed since we started.
WallTime wall_time(std::time_t time);

/// What holds at a time. Looks at the clock's hands only: where clocks are put forward or back, or
/// jump, what counts is the time they show now.
TwoWayRates rates_at(const Limits& limits, WallTime now);

/// Users that [limits] names and their numbers, as far as the machine knows them.
using UserIds = std::map<std::string, std::optional<uid_t>>;

/// Asks the machine, which may ask its directory server: blocks.
UserIds look_up_users(const Limits& limits);

/// Rates of users whom the machine does not know are left out. Of two rates for one user, by name
/// and by number, the smaller one counts.
scheduling::BandwidthLimits bandwidth_limits(const Rates& rates, const UserIds& users);

} // namespace wharf
