#include "daemon/jobs/speedometer.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using wharf::jobs::Speedometer;

TEST_CASE("speed is what was gained in the last seconds over the time it took") {
    Speedometer speedometer;
    const Speedometer::Clock::time_point start{};
    CHECK(speedometer.sample(1000, start) == 0); // one sample says nothing
    CHECK(speedometer.sample(1000 + 50'000, start + 500ms) == 100'000);
    CHECK(speedometer.sample(1000 + 100'000, start + 1s) == 100'000);
    // A minute of silence later, the old bytes count no more.
    CHECK(speedometer.sample(1000 + 100'000, start + 60s) < 2'000);
    CHECK(speedometer.sample(1000 + 100'000, start + 61s) == 0);
    // A counter that went back: a file is fetched again.
    CHECK(speedometer.sample(10, start + 61500ms) == 0);
}
