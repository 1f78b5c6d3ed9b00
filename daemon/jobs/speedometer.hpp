#pragma once

#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

namespace wharf::jobs {

/// Bytes a second over the last few seconds, from samples of a counter.
class Speedometer {
  public:
    using Clock = std::chrono::steady_clock;

    std::uint64_t sample(std::uint64_t bytes_done, Clock::time_point now = Clock::now());

  private:
    std::vector<std::pair<Clock::time_point, std::uint64_t>> samples_;
};

} // namespace wharf::jobs
