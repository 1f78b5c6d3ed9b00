#pragma once

#include "base/error.hpp"

#include <chrono>
#include <cstdint>

namespace wharf::jobs {

/// A detached job that met nothing but errors for this long is given up.
inline constexpr std::chrono::hours longest_trouble{7 * 24};

/// Whether an error says nothing about what was asked, so that the same job may go well later: the
/// Hub or the network is away, the Hub asks to slow down, or the disk is full.
bool heals_by_itself(ErrorKind kind) noexcept;

/// How long a detached job waits between its tries. Pure: no clock.
class Patience {
  public:
    /// `seed` feeds the jitter, which keeps many jobs from trying again in step.
    explicit Patience(std::uint64_t seed) noexcept : random_{seed} {}

    /// 5 s after the first error in a row, doubling up to 5 min, up to a quarter of it more or
    /// less; as long as the Hub asked for, if that is longer. For want of space 30 s, always:
    /// looking costs nothing.
    std::chrono::milliseconds next(const Error& error) noexcept;

    /// Bytes arrived: earlier errors are forgiven.
    void progress() noexcept { failures_ = 0; }

  private:
    std::uint64_t random_;
    unsigned failures_ = 0;
};

} // namespace wharf::jobs
