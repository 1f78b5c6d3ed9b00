#pragma once

#include <chrono>
#include <cstdint>

namespace wharf::service {

/// Lets one log line pass a second, for what clients can cause as often as they like. One thread.
class LogLimit {
  public:
    /// Whether to write the line now. `skipped()` then says how many were not, since the last.
    bool allow() noexcept {
        const auto now = std::chrono::steady_clock::now();
        if (now < next_) {
            ++pending_;
            return false;
        }
        next_ = now + std::chrono::seconds{1};
        skipped_ = pending_;
        pending_ = 0;
        return true;
    }

    std::uint64_t skipped() const noexcept { return skipped_; }

  private:
    std::chrono::steady_clock::time_point next_;
    std::uint64_t pending_ = 0;
    std::uint64_t skipped_ = 0;
};

} // namespace wharf::service
