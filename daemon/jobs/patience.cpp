#include "daemon/jobs/patience.hpp"

#include <algorithm>

namespace wharf::jobs {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds shortest{5'000};
constexpr milliseconds longest{300'000};
constexpr milliseconds look_for_space{30'000};
constexpr unsigned most_doublings = 6; // 5 s << 6 is beyond the longest

} // namespace

bool heals_by_itself(ErrorKind kind) noexcept {
    return kind == ErrorKind::network || kind == ErrorKind::unavailable ||
           kind == ErrorKind::rate_limited || kind == ErrorKind::no_space;
}

milliseconds Patience::next(const Error& error) noexcept {
    if (error.kind() == ErrorKind::no_space) {
        return look_for_space;
    }
    const auto delay = std::min(longest, shortest * (1U << failures_));
    failures_ = std::min(failures_ + 1, most_doublings);
    random_ = random_ * 6364136223846793005U + 1442695040888963407U; // Knuth's MMIX
    const auto half = static_cast<std::uint64_t>(delay.count()) / 2;
    const milliseconds jittered{delay.count() * 3 / 4 +
                                static_cast<milliseconds::rep>((random_ >> 33) % (half + 1))};
    return std::max<milliseconds>(jittered, error.retry_after().value_or(std::chrono::seconds{0}));
}

} // namespace wharf::jobs
