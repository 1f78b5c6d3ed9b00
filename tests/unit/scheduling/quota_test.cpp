#include "daemon/scheduling/quota.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace std::chrono_literals;
using wharf::hub::QuotaLeft;
using wharf::hub::QuotaNews;
using wharf::scheduling::Quota;
using Reason = Quota::Reason;
using Time = Quota::Clock::time_point;

namespace {

/// A quota and a time that only moves when told to.
struct Setup {
    explicit Setup(std::uint64_t cost = 1) : quota{cost, 1} {}

    void hears(std::uint64_t left, std::chrono::seconds reset, bool refused = false,
               std::optional<std::uint64_t> all = 100) {
        QuotaNews news;
        news.at = now;
        news.refused = refused;
        news.left = QuotaLeft{left, reset, all, {}};
        if (refused) {
            news.wait = reset;
        }
        quota.observe(news);
    }
    void hears_nothing() {
        QuotaNews news;
        news.at = now;
        quota.observe(news);
    }
    void is_refused(std::optional<std::chrono::seconds> wait) {
        QuotaNews news;
        news.at = now;
        news.refused = true;
        news.wait = wait;
        quota.observe(news);
    }
    bool open() { return quota.wait(now).left <= 0s; }
    Reason reason() { return quota.wait(now).reason; }

    /// How many requests go at once, unanswered.
    int burst(int most = 1000) {
        int sent = 0;
        while (sent < most && open()) {
            quota.take(now);
            ++sent;
        }
        return sent;
    }

    Quota quota;
    Time now = Time{} + 1000s;
};

} // namespace

TEST_CASE("nothing waits for a quota that nobody has named") {
    Setup setup;
    CHECK(setup.burst() == 1000);
    for (int i = 0; i < 1000; ++i) {
        setup.hears_nothing();
        setup.quota.give_back(setup.now);
    }
    CHECK(setup.burst() == 1000);
}

TEST_CASE("requests on their way count as sent until they are answered") {
    Setup setup;
    setup.hears(50, 60s);
    CHECK(setup.burst() == 40); // down to a tenth of the quota
    CHECK(setup.reason() == Reason::low);
    for (int i = 0; i < 40; ++i) { // none of them was sent after all
        setup.quota.give_back(setup.now);
    }
    setup.now += 10s;
    CHECK(setup.burst() == 40);
}

TEST_CASE("a file counts for the redirect that it may cost") {
    Setup setup{2};
    setup.hears(50, 60s);
    CHECK(setup.burst() == 20);
    Setup tiny{2};
    tiny.hears(1, 60s, false, 1); // a quota below the cost must not stop files for ever
    CHECK(tiny.open());
}

TEST_CASE("what is left of a low quota is spread to the reset, and no more than that is sent") {
    Setup setup;
    setup.hears(10, 60s);
    std::vector<Time> sent;
    const Time reset = setup.now + 60s;
    std::uint64_t left = 10;
    for (; setup.now < reset; setup.now += 100ms) {
        if (setup.open()) {
            setup.quota.take(setup.now);
            setup.quota.give_back(setup.now);
            REQUIRE(left > 0);
            setup.hears(--left, std::chrono::ceil<std::chrono::seconds>(reset - setup.now));
            sent.push_back(setup.now);
        }
    }
    CHECK(sent.size() >= 9);
    CHECK(sent.size() <= 10);
    for (std::size_t i = 1; i < sent.size(); ++i) {
        CHECK(sent[i] - sent[i - 1] > 3s);
        CHECK(sent[i] - sent[i - 1] < 12s);
    }
}

TEST_CASE("an empty quota waits for its reset, then one goes first") {
    Setup setup;
    setup.hears(0, 30s);
    CHECK(setup.reason() == Reason::used_up);
    CHECK(setup.quota.wait(setup.now).left >= 30s);
    CHECK(setup.quota.wait(setup.now).left <= 30s + 250ms);
    CHECK_FALSE(setup.open());
    setup.now += 30s + 250ms;
    CHECK(setup.burst() == 1);
    CHECK(setup.reason() == Reason::unsure);
    SUBCASE("its answer opens the window") {
        setup.hears(99, 300s);
        setup.quota.give_back(setup.now);
        CHECK(setup.burst() == 89);
    }
    SUBCASE("others with the same quota were faster") {
        setup.hears(0, 290s, true);
        setup.quota.give_back(setup.now);
        CHECK(setup.reason() == Reason::asked);
        CHECK(setup.quota.wait(setup.now).left >= 290s);
    }
    SUBCASE("it breaks without an answer: the next one goes") {
        setup.quota.give_back(setup.now);
        CHECK(setup.burst() == 1);
    }
    SUBCASE("it hangs: the next one goes after a while") {
        setup.now += 2s;
        CHECK(setup.burst() == 1);
        setup.now += 1s;
        CHECK(setup.burst() == 0);
    }
}

TEST_CASE("answers that overtake each other are put right") {
    Setup setup;
    setup.hears(40, 100s);
    setup.hears(42, 100s); // older, of the same window
    CHECK(setup.quota.left() == 40U);
    setup.now += 99s;
    setup.hears(3, 1s);
    setup.now += 2s; // the reset is over, the trial is answered
    CHECK(setup.burst() == 1);
    setup.hears(90, 300s);
    setup.hears(2, 1s); // and now comes one from before it
    CHECK(setup.quota.left() == 90U);
}

TEST_CASE("an answer from before the reset opens nothing after it") {
    Setup setup;
    setup.hears(0, 10s);
    setup.now += 10s + 250ms;
    CHECK(setup.burst() == 1);
    setup.hears(7, 1s); // not the trial's
    CHECK_FALSE(setup.quota.left());
}

TEST_CASE("a window that began unnoticed is believed") {
    Setup setup;
    setup.hears(5, 100s);
    setup.now += 1s;
    setup.hears(99, 300s);
    CHECK(setup.quota.left() == 99U);
    // And so is a shorter one: the server's word counts, not an odd one from before.
    setup.hears(0, 600s);
    setup.now += 1s;
    setup.hears(80, 200s);
    CHECK(setup.quota.left() == 80U);
    CHECK(setup.open());
}

TEST_CASE("a window of hours is not believed before the host refuses") {
    Setup setup;
    setup.hears(0, 3600s);
    CHECK(setup.open());
    setup.hears(0, 3600s, true);
    CHECK(setup.reason() == Reason::asked);
}

TEST_CASE("a refusal closes for the time it names, a moment at least, and opens gently") {
    Setup setup;
    setup.is_refused(7s);
    CHECK(setup.reason() == Reason::asked);
    setup.is_refused(3s); // does not shorten it
    CHECK(setup.quota.wait(setup.now).left >= 7s);
    setup.now += 7s + 250ms;
    // Answers say nothing of a quota: each good one lets two more go.
    int round = 1;
    for (int expected : {1, 2, 4, 8, 16}) {
        CAPTURE(round++);
        CHECK(setup.burst() == expected);
        for (int i = 0; i < expected; ++i) {
            setup.hears_nothing();
            setup.quota.give_back(setup.now);
        }
    }
    CHECK(setup.burst() == 1000);
    setup.is_refused(0s);
    CHECK_FALSE(setup.open());
    CHECK(setup.quota.wait(setup.now).left <= 1s + 250ms);
}

TEST_CASE("a refusal without a time makes careful and closes nothing") {
    Setup setup;
    setup.is_refused(std::nullopt);
    CHECK(setup.burst() == 1);
}

TEST_CASE("a server whose windows end later than it says is met a second later") {
    Setup setup;
    setup.hears(0, 10s);
    setup.now += 10s + 250ms;
    CHECK(setup.burst() == 1);
    setup.hears(0, 0s, true); // rounded down: the old window still runs
    setup.quota.give_back(setup.now);
    setup.now += 1s + 250ms;
    CHECK(setup.burst() == 1);
    setup.hears(0, 100s);
    setup.quota.give_back(setup.now);
    setup.now += 100s + 250ms;
    CHECK_FALSE(setup.open());
    setup.now += 1s;
    CHECK(setup.open());
}

TEST_CASE("what nobody uses and nothing holds up may be forgotten") {
    Setup setup;
    CHECK(setup.quota.is_idle(setup.now));
    setup.quota.take(setup.now);
    CHECK_FALSE(setup.quota.is_idle(setup.now));
    setup.quota.give_back(setup.now);
    setup.hears(5, 10s);
    CHECK_FALSE(setup.quota.is_idle(setup.now));
    setup.now += 11s;
    CHECK(setup.quota.is_idle(setup.now));
    setup.is_refused(60s);
    CHECK_FALSE(setup.quota.is_idle(setup.now));
}
