#include "daemon/jobs/speedometer.hpp"

namespace wharf::jobs {

std::uint64_t Speedometer::sample(std::uint64_t bytes_done, Clock::time_point now) {
    constexpr std::chrono::seconds window{3};
    samples_.emplace_back(now, bytes_done);
    // Keep one sample older than the window, so that the whole window is measured.
    while (samples_.size() > 2 && now - samples_[1].first > window) {
        samples_.erase(samples_.begin());
    }
    const auto& [then, before] = samples_.front();
    const double seconds = std::chrono::duration<double>(now - then).count();
    if (seconds < 0.05 || bytes_done < before) {
        return 0;
    }
    return static_cast<std::uint64_t>(static_cast<double>(bytes_done - before) / seconds);
}

} // namespace wharf::jobs
