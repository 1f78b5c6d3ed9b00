#include "daemon/async/clock_watch.hpp"

#include <ctime>

namespace wharf::async {

namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

nanoseconds read(clockid_t clock) noexcept {
    timespec time{};
    ::clock_gettime(clock, &time);
    return std::chrono::seconds{time.tv_sec} + nanoseconds{time.tv_nsec};
}

} // namespace

Clocks Clocks::now() noexcept {
    return {.monotonic = read(CLOCK_MONOTONIC),
            .boottime = read(CLOCK_BOOTTIME),
            .realtime = read(CLOCK_REALTIME)};
}

ClockWatch::News ClockWatch::look(const Clocks& now) noexcept {
    const auto passed = now.boottime - last_.boottime;
    const auto slept = passed - (now.monotonic - last_.monotonic);
    const auto step = (now.realtime - last_.realtime) - passed;
    last_ = now;
    News news;
    if (slept >= shortest_sleep || passed >= longest_gap) {
        news.away = duration_cast<milliseconds>(passed);
    }
    if (std::chrono::abs(step) >= smallest_step) {
        news.set_by = duration_cast<milliseconds>(step);
    }
    return news;
}

} // namespace wharf::async
