#include "daemon/net/speed_watch.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using wharf::net::SpeedWatch;

namespace {

/// A watch over 30 s at 10 bytes per second, and a clock of our own.
struct Scene {
    SpeedWatch watch{10, 30s};
    SpeedWatch::TimePoint now{1000s};

    /// A wait that ends after `wait` with so many bytes; how long it might have taken.
    std::chrono::duration<double> read(std::chrono::milliseconds wait, std::uint64_t count) {
        const auto begun = now;
        const auto deadline = watch.begin(now, "reading from");
        now += wait;
        watch.moved_few(count, now);
        return deadline.at - begun;
    }

    std::string error() { return watch.begin(now, "reading from").error("h:1").message(); }
};

} // namespace

TEST_CASE("what must move follows from speed and time, and is never nothing") {
    CHECK(SpeedWatch{10, 30s}.least() == 300);
    CHECK(SpeedWatch{0, 30s}.least() == 1);
    CHECK(SpeedWatch{1, 10ms}.least() == 1);
    CHECK(SpeedWatch{UINT64_MAX, 24h}.least() > 1'000'000'000);
}

TEST_CASE("waiting adds up until enough has come") {
    Scene scene;
    CHECK(scene.read(10s, 100) == 30s);
    CHECK(scene.read(10s, 100) == 20s);
    CHECK(scene.error() == "reading from h:1: only 200 bytes in 30 s");
    CHECK(scene.read(9s, 99) == 10s);
    CHECK(scene.read(500ms, 1) == 1s); // 300 in 29.5 s: from the start again
    CHECK(scene.read(1s, 0) == 30s);
    CHECK(scene.error() == "reading from h:1 timed out after 30 s");
}

TEST_CASE("a fast body always has the whole time") {
    Scene scene;
    for (int i = 0; i < 100; ++i) {
        CHECK(scene.read(29s, 300) == 30s);
        scene.watch.begin(scene.now, "reading from");
        scene.watch.moved(300);
    }
}

TEST_CASE("time that nobody waits for the peer is not counted") {
    Scene scene;
    for (int i = 0; i < 1000; ++i) { // our own limit: a byte a minute, there when we ask
        CHECK(scene.read(0ms, 1) == 30s);
        scene.now += 60s;
    }
}

TEST_CASE("a peer one byte short is not let off") {
    Scene scene;
    for (int i = 0; i < 299; ++i) {
        scene.read(100ms, 1);
    }
    CHECK(scene.read(0ms, 0) == 100ms);
    CHECK(scene.error() == "reading from h:1: only 299 bytes in 30 s");
}
