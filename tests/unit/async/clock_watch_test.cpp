#include "daemon/async/clock_watch.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using wharf::async::Clocks;
using wharf::async::ClockWatch;

namespace {

struct Scene {
    Clocks clocks{.monotonic = 100s, .boottime = 5000s, .realtime = 1'700'000'000s};
    ClockWatch watch{clocks};

    void run(std::chrono::nanoseconds time) {
        clocks.monotonic += time;
        sleep(time);
    }
    void sleep(std::chrono::nanoseconds time) {
        clocks.boottime += time;
        clocks.realtime += time;
    }
    ClockWatch::News look() { return watch.look(clocks); }
};

} // namespace

TEST_CASE("ordinary seconds, busy ones and slewed clocks are no news") {
    Scene scene;
    for (const auto time : {1s, 1s, 3s, 14s}) {
        scene.run(time);
        scene.clocks.realtime += 1900ms;
        scene.clocks.boottime += 500ms; // clocks are not read at the same moment
        const auto news = scene.look();
        CHECK_FALSE(news.away.has_value());
        CHECK_FALSE(news.set_by.has_value());
    }
}

TEST_CASE("a sleep of the machine is noticed, however short, and once") {
    for (const std::chrono::seconds time : {1s, 40s, 30'000s}) {
        Scene scene;
        scene.run(1s);
        scene.sleep(time);
        const auto news = scene.look();
        CHECK(news.away == time + 1s);
        CHECK_FALSE(news.set_by.has_value());
        scene.run(1s);
        CHECK_FALSE(scene.look().away.has_value());
    }
}

TEST_CASE("a stopped process or a paused virtual machine is noticed by the gap") {
    Scene scene;
    scene.run(15s); // all clocks went on, but nobody looked
    CHECK(scene.look().away == 15s);
}

TEST_CASE("a wall clock that was set is noticed in both directions, and is no sleep") {
    for (const std::chrono::seconds step : {3600s, -3600s, 2s, -2s}) {
        Scene scene;
        scene.run(1s);
        scene.clocks.realtime += step;
        const auto news = scene.look();
        CHECK(news.set_by == step);
        CHECK_FALSE(news.away.has_value());
        scene.run(1s);
        CHECK_FALSE(scene.look().set_by.has_value());
    }
}

TEST_CASE("the real clocks go forward together") {
    const auto first = Clocks::now();
    ClockWatch watch{first};
    const auto second = Clocks::now();
    CHECK(second.monotonic >= first.monotonic);
    CHECK(second.boottime >= second.monotonic);
    CHECK_FALSE(watch.look(second).away.has_value());
}
