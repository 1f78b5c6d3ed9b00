#include "daemon/async/task_group.hpp"
#include "daemon/scheduling/bandwidth.hpp"
#include "tests/support/run_coroutine.hpp"

#include <algorithm>
#include <deque>
#include <functional>
#include <random>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::scheduling::Allowance;
using wharf::scheduling::Bandwidth;
using wharf::scheduling::BandwidthLimits;
using wharf::scheduling::Claimant;
using wharf::scheduling::Priority;

namespace {

constexpr std::uint64_t mib = 1ULL << 20;
constexpr std::size_t buffer = 256 << 10;
constexpr auto unbounded = std::numeric_limits<std::uint64_t>::max();

/// Bandwidth with the clock in the test's hand, and one lane whose loop runs when time has passed.
struct Link {
    Link() : bandwidth{control.get_executor()}, tasks{lane.get_executor()} {}
    ~Link() {
        tasks.cancel();
        run();
    }

    struct Fetch {
        std::shared_ptr<Allowance> allowance;
        std::uint64_t per_step = unbounded; ///< what the server sends from one tick to the next
        std::uint64_t piece = unbounded;    ///< a new allowance after so many bytes
        std::uint64_t received = 0;
    };

    Fetch& start(Claimant who, std::uint64_t per_step = unbounded,
                 std::uint64_t piece = unbounded) {
        auto& fetch = fetches.emplace_back(Fetch{open(who), per_step, piece});
        tasks.spawn("fetch", read(fetch, who));
        run();
        return fetch;
    }

    std::shared_ptr<Allowance> open(Claimant who) {
        return bandwidth.open(who, lane.get_executor());
    }

    /// As a lane reads: what is left of what it may read when the server has no more, it gives
    /// back.
    Awaitable<> read(Fetch& fetch, Claimant who) {
        std::uint64_t of_piece = 0;
        for (;;) {
            for (std::uint64_t sent = 0; sent < fetch.per_step;) {
                const std::size_t allowed = co_await fetch.allowance->take(buffer);
                const auto count = std::min({static_cast<std::uint64_t>(allowed),
                                             fetch.per_step - sent, fetch.piece - of_piece});
                fetch.allowance->give_back(allowed - count);
                sent += count;
                of_piece += count;
                fetch.received += count;
                if (of_piece == fetch.piece) {
                    of_piece = 0;
                    fetch.allowance = open(who);
                }
            }
            co_await stepped.wait();
        }
    }

    /// A fetch whose server sends a little at a time: what it may read it holds while it waits.
    Fetch& start_slow(Claimant who, std::uint64_t per_step) {
        auto& fetch = fetches.emplace_back(Fetch{open(who), per_step});
        tasks.spawn("slow fetch", trickle(fetch));
        run();
        return fetch;
    }

    Awaitable<> trickle(Fetch& fetch) {
        for (;;) {
            const std::size_t allowed = co_await fetch.allowance->take(buffer);
            do {
                co_await stepped.wait();
            } while (fetch.per_step == 0);
            const auto count = std::min<std::uint64_t>(allowed, fetch.per_step);
            fetch.allowance->give_back(allowed - count);
            fetch.received += count;
        }
    }

    void run() {
        lane.restart();
        lane.poll();
    }

    void step(std::chrono::nanoseconds time = Bandwidth::tick) {
        now += time;
        bandwidth.share(now);
        stepped.notify_all();
        run();
    }

    void pass(std::chrono::nanoseconds time) {
        for (const auto end = now + time; now < end;) {
            step();
        }
    }

    void limit(BandwidthLimits limits) {
        bandwidth.set_limits(std::move(limits), now);
        run();
    }

    std::uint64_t received() const {
        std::uint64_t sum = 0;
        for (const auto& fetch : fetches) {
            sum += fetch.received;
        }
        return sum;
    }

    wharf::asio::io_context control; ///< never runs: the test is the timer
    wharf::asio::io_context lane;
    Bandwidth::Clock::time_point now = Bandwidth::Clock::now();
    Bandwidth bandwidth;
    wharf::async::Event stepped;
    std::deque<Fetch> fetches;
    wharf::async::TaskGroup tasks;
};

bool within(std::uint64_t actual, double expected, double part) {
    const auto value = static_cast<double>(actual);
    return value >= expected * (1 - part) && value <= expected * (1 + part);
}

} // namespace

TEST_CASE("without a limit there is neither counting nor a timer") {
    Link link;
    const auto allowance = link.open({});
    const auto body = [&]() -> Awaitable<> {
        const auto taken = co_await allowance->take(3 * buffer);
        CHECK(taken == 3 * buffer);
        allowance->give_back(buffer);
        const auto again = co_await allowance->take(5 * buffer);
        CHECK(again == 5 * buffer);
    };
    wharf::test::run(body(), link.lane);
    CHECK_FALSE(link.bandwidth.ticking());

    link.limit({.by_class = {0, 0, mib}, .by_user = {{7, mib}}}); // somebody else's
    wharf::test::run(body(), link.lane);
    CHECK_FALSE(link.bandwidth.ticking());
}

TEST_CASE("the limit holds over ten seconds within two percent, however the ticks come") {
    std::mt19937 random{3};
    const auto between = [&](int from, int to) {
        return std::chrono::microseconds{std::uniform_int_distribution{from, to}(random)};
    };
    const std::function<std::chrono::nanoseconds()> regular = [] { return Bandwidth::tick; };
    const std::function<std::chrono::nanoseconds()> late = [&] { return between(20'000, 90'000); };
    const std::function<std::chrono::nanoseconds()> rarely = [&] {
        return between(200'000, 900'000);
    };
    for (const auto& interval : {regular, late, rarely}) {
        for (const std::uint64_t rate : {mib, 500 * mib, mib / 64}) {
            for (const int fetches : {1, 64}) {
                CAPTURE(rate);
                CAPTURE(fetches);
                Link link;
                link.limit({.all = rate});
                for (int i = 0; i < fetches; ++i) {
                    link.start({static_cast<uid_t>(i % 5), static_cast<Priority>(i % 3)});
                }
                const auto begin = link.now;
                while (link.now < begin + 10s) {
                    link.step(interval());
                }
                const std::chrono::duration<double> time = link.now - begin;
                CHECK(within(link.received(), static_cast<double>(rate) * time.count(), 0.02));
            }
        }
    }
}

TEST_CASE("short pieces cost nothing of the rate") {
    Link link;
    link.limit({.all = 100 * mib});
    link.start({1, Priority::normal}, unbounded, 300'000);
    link.start({1, Priority::normal}, unbounded, 16 * mib);
    link.pass(10s);
    CHECK(within(link.received(), 1000 * mib, 0.02));
}

TEST_CASE("two users at full load get the same, whatever they run") {
    for (const std::uint64_t rate : {mib, 500 * mib}) {
        CAPTURE(rate);
        Link link;
        link.limit({.all = rate});
        const auto& alone = link.start({1, Priority::normal});
        for (int i = 0; i < 31; ++i) {
            link.start({2, Priority::normal}, unbounded, i % 2 == 0 ? unbounded : 100'000);
        }
        link.pass(10s);
        CHECK(within(alone.received, static_cast<double>(link.received()) / 2, 0.025));
    }
}

TEST_CASE("classes share by weight") {
    Link link;
    link.limit({.all = 13 * mib});
    const auto& urgent = link.start({1, Priority::interactive});
    const auto& normal = link.start({2, Priority::normal});
    const auto& background = link.start({3, Priority::background});
    link.pass(10s);
    CHECK(within(urgent.received, 80 * mib, 0.02));
    CHECK(within(normal.received, 40 * mib, 0.02));
    CHECK(within(background.received, 10 * mib, 0.02));
}

TEST_CASE("what others do not use goes to who can") {
    for (const std::uint64_t rate : {mib, 500 * mib}) {
        CAPTURE(rate);
        Link link;
        link.limit({.all = rate});
        const auto& fast = link.start({1, Priority::background});
        for (int i = 0; i < 40; ++i) {
            link.start_slow({2, Priority::interactive}, 0); // nothing comes
        }
        for (int i = 0; i < 20; ++i) {
            link.start_slow({2, Priority::normal}, rate / 5000); // a hundredth of the rate
        }
        const auto& slow = link.start({3, Priority::interactive}, rate / 500); // a tenth
        link.pass(10s);
        const auto whole = static_cast<double>(10 * rate);
        CHECK(within(slow.received, whole / 10, 0.02));
        CHECK(within(fast.received, whole * 7 / 10, 0.02));
        CHECK(within(link.received(), whole, 0.02));
    }
}

TEST_CASE("limits of classes and users hold together") {
    Link link;
    link.limit({.all = 100 * mib, .by_class = {0, 0, 20 * mib}, .by_user = {{1, 5 * mib}}});
    const auto& bound_user = link.start({1, Priority::normal});
    const auto& bound_both = link.start({1, Priority::background});
    const auto& bound_class = link.start({2, Priority::background});
    const auto& rest = link.start({2, Priority::normal});
    link.pass(10s);
    CHECK(within(bound_user.received + bound_both.received, 50 * mib, 0.02));
    CHECK(bound_both.received + bound_class.received <= 205 * mib);
    CHECK(within(link.received(), 1000 * mib, 0.02));
    CHECK(rest.received > bound_class.received);
}

TEST_CASE("after a pause comes a tenth of a second's worth at most") {
    Link link;
    link.limit({.all = 100 * mib});
    auto& fetch = link.start({1, Priority::normal}, 0);
    link.start({2, Priority::normal}, 0);
    link.pass(5s);
    fetch.per_step = unbounded;
    link.step();
    link.step(0ns);
    link.step(0ns);
    CHECK(fetch.received >= 5 * mib);
    CHECK(fetch.received <= 11 * mib);
}

TEST_CASE("a pause without fetches brings nothing") {
    Link link;
    link.limit({.all = 100 * mib});
    link.now += 60s;
    const auto& fetch = link.start({1, Priority::normal});
    link.now = Bandwidth::Clock::now();
    link.step();
    link.step(0ns);
    CHECK(fetch.received <= 3 * mib);
}

TEST_CASE("a changed limit holds from the next tick on, and a lifted one at once") {
    Link link;
    link.start({1, Priority::normal}, 64 * mib);
    CHECK(link.received() == 64 * mib); // no limit
    link.limit({.all = 100 * mib});
    CHECK(link.bandwidth.ticking());
    link.pass(1s);
    const auto first = link.received() - 64 * mib;
    CHECK(within(first, 100 * mib, 0.1));
    link.limit({.all = mib});
    const auto before = link.received();
    link.pass(10s);
    CHECK(within(link.received() - before, 10 * mib, 0.02));
    const auto slow = link.received();
    link.limit({}); // wakes it without a tick
    CHECK(link.received() > slow + 10 * mib);
}

TEST_CASE("on whose account a fetch is may change while it waits") {
    Link link;
    link.limit({.by_class = {0, 0, mib}});
    auto& fetch = link.start({1, Priority::background}, 64 * mib);
    link.pass(1s);
    CHECK(within(fetch.received, mib, 0.1));
    link.bandwidth.charge(*fetch.allowance, {1, Priority::interactive}); // without a limit
    link.run();
    CHECK(fetch.received > 60 * mib);
    link.bandwidth.charge(*fetch.allowance, {1, Priority::background});
    const auto before = fetch.received;
    link.pass(10s);
    CHECK(within(fetch.received - before, 10 * mib, 0.05));
}

TEST_CASE("an urgent fetch gets its share from the next tick on") {
    Link link;
    link.limit({.all = 90 * mib});
    auto& fetch = link.start({1, Priority::background});
    link.start({2, Priority::interactive});
    link.pass(1s);
    CHECK(within(fetch.received, 10 * mib, 0.05));
    link.bandwidth.charge(*fetch.allowance, {1, Priority::interactive});
    link.step();
    const auto before = fetch.received;
    link.pass(1s);
    CHECK(within(fetch.received - before, 45 * mib, 0.05));
}

namespace {

Awaitable<> take_once(std::shared_ptr<Allowance> allowance, std::size_t& taken) {
    taken = co_await allowance->take(buffer);
}

} // namespace

TEST_CASE("a cancelled wait takes nothing, and the fetch may ask again") {
    Link link;
    link.limit({.all = mib});
    const auto allowance = link.open({});
    std::size_t taken = 0;
    {
        wharf::async::TaskGroup group{link.lane.get_executor()};
        group.spawn("take", take_once(allowance, taken));
        link.run();
        link.bandwidth.share(link.now += 20ms); // its wake-up meets the cancellation
        group.cancel();
        link.run();
        CHECK(group.size() == 0);
    }
    const auto before = taken;
    link.step();
    taken = 0;
    link.tasks.spawn("take", take_once(allowance, taken));
    link.run();
    CHECK(taken + before > 20'000); // all that two ticks brought
    CHECK(taken + before < 45'000);
}

TEST_CASE("fetches may end at any moment, also while nothing ticks") {
    Link link;
    for (int i = 0; i < 1000; ++i) {
        link.open({});
    }
    link.limit({.all = mib});
    const auto survivor = link.open({});
    link.step();
    CHECK(link.bandwidth.size() == 1);
    link.limit({});
    for (int i = 0; i < 1000; ++i) {
        link.open({});
    }
    CHECK(link.bandwidth.size() < 40);
}
