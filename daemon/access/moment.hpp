#pragma once

#include "base/boot_clock.hpp"

#include <chrono>

namespace wharf::access {

using WallTime = std::chrono::system_clock::time_point;

/// Both clocks at once. What a running daemon decides goes by the time since boot, which nobody
/// sets back; wall time is only for what a later run is to know.
struct Moment {
    BootClock::time_point boot;
    WallTime wall;

    static Moment now() noexcept { return {BootClock::now(), std::chrono::system_clock::now()}; }
};

} // namespace wharf::access
