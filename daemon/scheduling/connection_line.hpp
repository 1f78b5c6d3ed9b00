#pragma once

#include <atomic>
#include <cstdint>

namespace wharf::scheduling {

/// What the fetching thread sees of a right to use a connection. Any thread; outlives the right.
class ConnectionLine {
  public:
    /// Somebody has a better right: stop at the next read, keep what has come, give the permit back
    /// and claim again for the rest.
    bool wanted_back() const noexcept { return wanted_back_.load(std::memory_order_relaxed); }
    void ask_back() noexcept { wanted_back_.store(true, std::memory_order_relaxed); }

    /// Counts bytes of the body as they come, not at the end: shares are measured by them.
    void received(std::uint64_t bytes) noexcept {
        received_.fetch_add(bytes, std::memory_order_relaxed);
    }
    std::uint64_t received() const noexcept { return received_.load(std::memory_order_relaxed); }

  private:
    std::atomic<bool> wanted_back_ = false;
    std::atomic<std::uint64_t> received_ = 0;
};

} // namespace wharf::scheduling
