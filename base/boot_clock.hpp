#pragma once

#include <chrono>
#include <ctime>

namespace wharf {

/// Time since the machine was started, also while it was suspended: for moments that the world
/// outside keeps to. Nothing sets it back. Timers run on the steady clock, which stands still while
/// the machine is suspended; who waits for such a moment wakes up now and then and looks again.
struct BootClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<BootClock>;
    static constexpr bool is_steady = true;

    static time_point now() noexcept {
        timespec time{};
        ::clock_gettime(CLOCK_BOOTTIME, &time);
        return time_point{std::chrono::seconds{time.tv_sec} +
                          std::chrono::nanoseconds{time.tv_nsec}};
    }
};

} // namespace wharf
