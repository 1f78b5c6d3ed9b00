#pragma once

#include <chrono>
#include <optional>

namespace wharf::async {

/// The kernel's clocks at one moment.
struct Clocks {
    std::chrono::nanoseconds monotonic; ///< CLOCK_MONOTONIC: stands still while the machine sleeps
    std::chrono::nanoseconds boottime;  ///< CLOCK_BOOTTIME: goes on
    std::chrono::nanoseconds realtime;  ///< CLOCK_REALTIME: may be set

    static Clocks now() noexcept;
};

/// Notices from clocks read every second or so what no timer tells: that we were not running for a
/// while (the machine slept, its virtual machine was paused, the process was stopped), and that the
/// wall clock was set. Deadlines are on the monotonic clock: sleep neither counts against them nor
/// makes them pass, so connections that died meanwhile would be waited for in full.
class ClockWatch {
  public:
    explicit ClockWatch(const Clocks& first) noexcept : last_{first} {}

    /// What happened since the last look.
    struct News {
        /// How long we were away; none when we were not.
        std::optional<std::chrono::milliseconds> away;
        /// By how much the wall clock was set, forward or back; none when it was not.
        std::optional<std::chrono::milliseconds> set_by;
    };
    News look(const Clocks& now) noexcept;

    /// Any sleep of the machine this long is one: the clocks differ by less otherwise.
    static constexpr std::chrono::seconds shortest_sleep{1};
    /// Two looks so far apart mean that nothing ran, not even on a busy machine.
    static constexpr std::chrono::seconds longest_gap{15};
    /// The wall clock is slewed by NTP all the time; what is less than this is not worth a word.
    static constexpr std::chrono::seconds smallest_step{2};

  private:
    Clocks last_;
};

} // namespace wharf::async
