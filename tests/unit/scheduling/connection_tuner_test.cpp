#include "daemon/scheduling/connection_tuner.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

using namespace std::chrono_literals;
using wharf::scheduling::ConnectionTuner;

namespace {

/// A host in virtual time: `rate` says the work a second that so many connections do.
class Host {
  public:
    using Rate = std::function<double(std::size_t connections)>;

    Host(Rate rate, std::size_t most) : tuner{most}, rate_{std::move(rate)} {}

    void run(std::chrono::milliseconds time) {
        for (const auto end = now_ + time; now_ < end; now_ += tick) {
            in_use = std::min(demand, tuner.target());
            work_ += rate_(in_use) * 0.2;
            tuner.tick(now_, {.work = static_cast<std::uint64_t>(work_),
                              .in_use = in_use,
                              .waiting = demand - in_use});
            highest = std::max(highest, tuner.target());
            lowest = std::min(lowest, tuner.target());
        }
    }
    void skip(std::chrono::milliseconds time) { now_ += time; }
    void change(Rate rate) { rate_ = std::move(rate); }
    void watch() { highest = lowest = tuner.target(); }

    ConnectionTuner tuner;
    std::size_t demand = 1000;
    std::size_t in_use = 0;
    std::size_t highest = 0;
    std::size_t lowest = 1000;

  private:
    static constexpr auto tick = 200ms;
    Rate rate_;
    double work_ = 0;
    ConnectionTuner::Clock::time_point now_{100h};
};

double each_as_fast(std::size_t connections) {
    return 1e6 * static_cast<double>(connections);
}
double flat(std::size_t) {
    return 1e9;
}

/// Grows with each connection up to so many.
Host::Rate full_at(std::size_t connections) {
    return [connections](std::size_t n) { return each_as_fast(std::min(n, connections)); };
}

} // namespace

TEST_CASE("the number of connections follows what they bring") {
    struct Case {
        const char* name;
        Host::Rate rate;
        std::size_t most;
        std::chrono::milliseconds time;
        std::size_t least_target;
        std::size_t most_target;
    };
    const Case cases[] = {
        {"a link that four fill", full_at(4), 16, 10s, 4, 4},
        {"sixteen bring four times what four do", full_at(16), 64, 8s, 16, 20},
        {"much delay and loss: each as fast as the others", each_as_fast, 16, 6s, 16, 16},
        {"the same with a high limit", each_as_fast, 256, 20s, 256, 256},
        {"bound by our processor", flat, 16, 10s, 4, 4},
        {"ten fill it", full_at(10), 16, 60s, 8, 12},
        {"more of them do less", [](std::size_t n) { return 1e8 / static_cast<double>(n); }, 16,
         10s, 4, 4},
        {"the limit is below where it starts", each_as_fast, 2, 10s, 2, 2},
        {"one is all there may be", flat, 1, 10s, 1, 1},
    };
    for (const auto& c : cases) {
        CAPTURE(c.name);
        Host host{c.rate, c.most};
        host.run(c.time);
        CHECK(host.tuner.target() >= c.least_target);
        CHECK(host.tuner.target() <= c.most_target);
        CHECK(host.highest <= c.most);
        CHECK(host.lowest >= std::min(ConnectionTuner::initial, c.most));
    }
}

TEST_CASE("sixteen connections are reached within four seconds where they bring more") {
    Host host{each_as_fast, 16};
    host.run(4s);
    CHECK(host.tuner.target() == 16);
}

TEST_CASE("trials cost little time, and are made again as links change") {
    Host host{full_at(4), 16};
    host.run(6s);
    host.watch();
    host.run(10s);
    CHECK(host.highest == 4);
    host.change(full_at(16));
    host.run(60s);
    CHECK(host.tuner.target() >= 14);
    host.change(full_at(4)); // fewer do as well: it comes down in steps
    host.run(5min);
    CHECK(host.tuner.target() <= 8);
}

TEST_CASE("failures halve the number, once for an outage, and it comes back") {
    Host host{each_as_fast, 16};
    host.run(6s);
    REQUIRE(host.tuner.target() == 16);
    for (int i = 0; i < 16; ++i) {
        host.tuner.failed();
    }
    CHECK(host.tuner.target() == 8);
    host.run(1s);
    host.tuner.failed();
    CHECK(host.tuner.target() == 8);
    host.watch();
    host.run(3s);
    CHECK(host.highest == 8); // cools down
    for (int i = 0; i < 10; ++i) {
        host.tuner.failed();
        host.run(3s);
    }
    CHECK(host.tuner.target() == 1);
    host.run(16s);
    CHECK(host.tuner.target() == 16);
}

TEST_CASE("too little demand and silence are not read as no gain") {
    Host host{each_as_fast, 16};
    host.demand = 3;
    host.run(60s);
    CHECK(host.tuner.target() == 4);
    host.demand = 4; // uses the target, but lacks nothing
    host.run(60s);
    CHECK(host.tuner.target() == 4);
    host.demand = 1000;
    host.run(2s);
    host.demand = 0; // in the middle of a trial
    host.run(10s);
    host.skip(1h);
    host.demand = 1000;
    host.run(8s);
    CHECK(host.tuner.target() == 16);
}

TEST_CASE("chance does not carry it away") {
    for (unsigned seed = 0; seed < 20; ++seed) {
        std::mt19937 random{seed};
        std::normal_distribution<double> noise{1, 0.08}; // of a fifth of a second
        const auto noisy = [&](const Host::Rate& rate) {
            return [&, rate](std::size_t n) { return rate(n) * std::max(noise(random), 0.0); };
        };
        CAPTURE(seed);
        Host narrow{noisy(full_at(4)), 64};
        narrow.run(10min);
        CHECK(narrow.tuner.target() <= 12);
        Host wide{noisy(each_as_fast), 16};
        wide.run(60s);
        CHECK(wide.tuner.target() >= 10);
    }
}

TEST_CASE("the limit may change at any time") {
    Host host{each_as_fast, 16};
    host.run(6s);
    host.tuner.set_most(6);
    CHECK(host.tuner.target() == 6);
    host.run(60s);
    CHECK(host.highest == 16);
    CHECK(host.tuner.target() <= 6);
    host.tuner.set_most(32);
    host.run(60s);
    CHECK(host.tuner.target() == 32);
}
