#include "daemon/net/speed_watch.hpp"

#include <algorithm>

namespace wharf::net {

namespace {

/// At least one byte. In floating point: a product of two settings may exceed 64 bits.
std::uint64_t bytes_in(std::uint64_t speed, std::chrono::milliseconds window) noexcept {
    const double bytes = static_cast<double>(speed) * static_cast<double>(window.count()) / 1000;
    return std::max<std::uint64_t>(static_cast<std::uint64_t>(std::min(bytes, 1e18)), 1);
}

} // namespace

SpeedWatch::SpeedWatch(std::uint64_t min_speed, std::chrono::milliseconds window)
    : least_{bytes_in(min_speed, window)}, window_{window} {}

Deadline SpeedWatch::begin(TimePoint now, std::string_view step) noexcept {
    begun_ = now;
    return Deadline{.at = now + window_ - waited_, .limit = window_, .step = step, .moved = moved_};
}

void SpeedWatch::moved_few(std::uint64_t count, TimePoint now) noexcept {
    moved_ += count;
    if (moved_ >= least_) {
        start_over();
    } else {
        waited_ += now - begun_;
    }
}

} // namespace wharf::net
