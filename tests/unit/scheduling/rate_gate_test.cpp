#include "daemon/async/task_group.hpp"
#include "daemon/scheduling/rate_gate.hpp"
#include "tests/support/run_coroutine.hpp"

#include <fmt/format.h>

#include <optional>
#include <vector>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::hub::Bucket;
using wharf::hub::QuotaLeft;
using wharf::hub::QuotaNews;
using wharf::hub::Token;
using wharf::scheduling::RateGate;
using wharf::scheduling::WaitNote;

namespace {

QuotaNews news(std::string host, Token token, Bucket bucket = Bucket::api) {
    QuotaNews made;
    made.host = std::move(host);
    made.account = {std::move(token), bucket};
    made.at = wharf::BootClock::now();
    return made;
}

QuotaNews refusal(std::string host, Token token, std::chrono::seconds wait) {
    QuotaNews made = news(std::move(host), std::move(token));
    made.refused = true;
    made.wait = wait;
    return made;
}

QuotaNews remaining(std::uint64_t left, std::chrono::seconds reset) {
    QuotaNews made = news("hub", {});
    made.left = QuotaLeft{left, reset, 100, {}};
    return made;
}

Awaitable<> pass(RateGate& gate, std::string host, Token token, Bucket bucket,
                 std::shared_ptr<WaitNote> note, bool& passed) {
    co_await gate.pass(std::move(host), std::move(token), bucket, std::move(note), 2h);
    passed = true;
}

/// Passes, keeps the unit, and notes its name.
Awaitable<> go(RateGate& gate, std::string name, std::vector<std::string>& passed,
               std::vector<RateGate::Unit>& units) {
    auto unit = co_await gate.pass("hub", {}, Bucket::api, std::make_shared<WaitNote>(), 2h);
    units.push_back(std::move(unit));
    passed.push_back(std::move(name));
}

} // namespace

TEST_CASE(
    "a host's wish holds for all requests with the token it was made to, a quota for its kind") {
    wharf::asio::io_context context;
    RateGate gate;
    gate.observe(refusal("hub", Token{"alice"}, 1h));
    QuotaNews empty = news("other", {});
    empty.left = QuotaLeft{0, 5min, {}, {}};
    gate.observe(empty);
    wharf::async::TaskGroup group{context.get_executor()};
    bool same = false;
    bool other_token = false;
    bool other_host = false;
    bool other_bucket = false;
    const auto note = std::make_shared<WaitNote>();
    const auto idle = std::make_shared<WaitNote>();
    const auto body = [&]() -> Awaitable<> {
        group.spawn("same", pass(gate, "hub", Token{"alice"}, Bucket::api, note, same));
        group.spawn("token", pass(gate, "hub", Token{"bob"}, Bucket::api, idle, other_token));
        group.spawn("host", pass(gate, "cdn", Token{"alice"}, Bucket::api, idle, other_host));
        group.spawn("bucket", pass(gate, "hub", Token{"alice"}, Bucket::files, idle, other_bucket));
        co_await wharf::async::sleep_for(5ms);
        CHECK_FALSE(same);
        CHECK(gate.is_closed("hub", Token{"alice"}, Bucket::api));
        CHECK_FALSE(gate.is_closed("hub", Token{"bob"}, Bucket::api));
        CHECK(gate.is_closed("hub", Token{"alice"}, Bucket::files));
        CHECK_FALSE(gate.is_closed("other", Token{}, Bucket::files));
        CHECK(gate.is_closed("other", Token{}, Bucket::api));
        CHECK(note->reason == "hub asked to wait 1h 00m");
        CHECK(other_token);
        CHECK(other_host);
        CHECK_FALSE(other_bucket);
        group.cancel();
        co_await group.join();
        CHECK(note->reason.empty());
    };
    wharf::test::run(body(), context);
}

TEST_CASE("who would have to wait too long is told so at once, and that prolongs nothing") {
    for (const bool is_refused : {true, false}) {
        CAPTURE(is_refused);
        RateGate gate;
        gate.observe(is_refused ? refusal("hub", {}, 10min) : remaining(0, 10min));
        const auto body = [&]() -> Awaitable<> {
            for (int i = 0; i < 3; ++i) {
                std::optional<Error> refused;
                try {
                    co_await gate.pass("hub", {}, Bucket::api, std::make_shared<WaitNote>(), 9min);
                } catch (const Error& error) {
                    refused = error;
                }
                REQUIRE(refused);
                CHECK(refused->kind() == ErrorKind::rate_limited);
                REQUIRE(refused->retry_after());
                CHECK(*refused->retry_after() <= 10min);
            }
        };
        wharf::test::run(body());
    }
}

TEST_CASE("those who wait go in the order in which they came, one by one into a fresh window") {
    wharf::asio::io_context context;
    RateGate gate;
    gate.observe(refusal("hub", {}, 0s)); // closed for a second
    wharf::async::TaskGroup group{context.get_executor()};
    std::vector<std::string> passed;
    std::vector<RateGate::Unit> units;
    const auto body = [&]() -> Awaitable<> {
        for (int i = 0; i < 60; ++i) {
            group.spawn("waiter", go(gate, fmt::format("{}", i), passed, units));
        }
        while (passed.empty()) {
            co_await wharf::async::sleep_for(10ms);
        }
        co_await wharf::async::sleep_for(20ms);
        CHECK(passed.size() == 1);
        // The first answer says that there is room for some, but not for all.
        gate.observe(remaining(30, 300s));
        units.clear();
        co_await wharf::async::sleep_for(20ms);
        REQUIRE(passed.size() == 21); // down to a tenth of the quota
        for (std::size_t i = 0; i < passed.size(); ++i) {
            CHECK(passed[i] == fmt::format("{}", i));
        }
        group.cancel();
        co_await group.join();
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a unit that comes back lets the next one go") {
    wharf::asio::io_context context;
    RateGate gate;
    gate.observe(remaining(1, 300s));
    wharf::async::TaskGroup group{context.get_executor()};
    std::vector<std::string> passed;
    std::vector<RateGate::Unit> units;
    const auto body = [&]() -> Awaitable<> {
        group.spawn("one", go(gate, "one", passed, units));
        group.spawn("two", go(gate, "two", passed, units));
        co_await wharf::async::sleep_for(5ms);
        CHECK(passed == std::vector<std::string>{"one"});
        // Its request was answered: the quota was larger than it seemed.
        gate.observe(remaining(50, 310s));
        units.clear();
        co_await wharf::async::sleep_for(5ms);
        CHECK(passed == std::vector<std::string>{"one", "two"});
        CHECK(group.size() == 0);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a reason says what is waited for") {
    wharf::asio::io_context context;
    RateGate gate;
    wharf::async::TaskGroup group{context.get_executor()};
    const auto note = std::make_shared<WaitNote>();
    bool passed = false;
    const auto body = [&]() -> Awaitable<> {
        gate.observe(remaining(0, 90s));
        group.spawn("waits", pass(gate, "hub", {}, Bucket::api, note, passed));
        co_await wharf::async::sleep_for(5ms);
        CHECK(note->reason.starts_with("hub takes no more requests for 1m 3"));
        CHECK(gate.is_closed("hub", {}, Bucket::api));
        gate.observe(remaining(50, 200s));
        const auto unit =
            co_await gate.pass("hub", {}, Bucket::api, std::make_shared<WaitNote>(), 2h);
        CHECK(passed);
    };
    const auto slow = [&]() -> Awaitable<> {
        passed = false;
        gate.observe(remaining(2, 300s));
        const auto unit =
            co_await gate.pass("hub", {}, Bucket::api, std::make_shared<WaitNote>(), 2h);
        group.spawn("waits", pass(gate, "hub", {}, Bucket::api, note, passed));
        co_await wharf::async::sleep_for(5ms);
        CHECK(note->reason == "slowing down: 2 of 100 requests are left at hub");
        CHECK_FALSE(gate.is_closed("hub", {}, Bucket::api));
        group.cancel();
        co_await group.join();
    };
    SUBCASE("nothing is left") {
        wharf::test::run(body(), context);
    }
    SUBCASE("little is left") {
        wharf::test::run(slow(), context);
    }
}

TEST_CASE("quotas of tokens that come no more are forgotten") {
    RateGate gate;
    const auto body = [&]() -> Awaitable<> {
        for (int i = 0; i < 5000; ++i) {
            const Token token{fmt::format("token {}", i)};
            co_await gate.pass("hub", token, Bucket::api, std::make_shared<WaitNote>(), 1s);
        }
        gate.observe(remaining(0, 10min)); // one that still matters
        for (int i = 0; i < 5000; ++i) {
            const Token token{fmt::format("other {}", i)};
            co_await gate.pass("hub", token, Bucket::api, std::make_shared<WaitNote>(), 1s);
        }
        CHECK(gate.size() <= 2100);
        CHECK(gate.is_closed("hub", {}, Bucket::api));
    };
    wharf::test::run(body());
}
