#pragma once

#include "daemon/net/stream.hpp"

#include <chrono>
#include <cstdint>

namespace wharf::net {

/// Notices that a body hardly moves. A peer must move `least` bytes within every `window` of time
/// that we spend waiting for it; time in which we do something else (write to a disk, keep to a
/// bandwidth limit) does not count. No I/O: it says when the next wait must end, and is told what
/// came of it. A fast body costs it one comparison for each read.
class SpeedWatch {
  public:
    using TimePoint = std::chrono::steady_clock::time_point;

    /// `min_speed` in bytes per second. 0: any byte will do.
    SpeedWatch(std::uint64_t min_speed, std::chrono::milliseconds window);

    /// The deadline of a wait that begins now. Its Error is "<step> <peer> timed out after 30 s",
    /// or "<step> <peer>: only 30 bytes in 30 s".
    Deadline begin(TimePoint now, std::string_view step) noexcept;

    /// `count` bytes have moved since begin().
    void moved(std::uint64_t count) {
        if (count >= least_) {
            start_over();
        } else {
            moved_few(count, std::chrono::steady_clock::now());
        }
    }

    /// As moved(), at a time of the caller's.
    void moved_few(std::uint64_t count, TimePoint now) noexcept;

    std::uint64_t least() const noexcept { return least_; }

  private:
    std::uint64_t least_;
    std::chrono::milliseconds window_;
    TimePoint begun_{};                             ///< the last wait
    std::chrono::steady_clock::duration waited_{0}; ///< in this window, before the last wait
    std::uint64_t moved_ = 0;                       ///< in this window

    void start_over() noexcept {
        waited_ = {};
        moved_ = 0;
    }
};

} // namespace wharf::net
