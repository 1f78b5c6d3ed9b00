#include "tests/support/socket_harness.hpp"

using namespace std::chrono_literals;
using wharf::test::Harness;
using wharf::test::RawClient;

namespace {

using Clock = std::chrono::steady_clock;

} // namespace

TEST_CASE("draining closes idle connections at once and takes no new ones") {
    Harness harness;
    RawClient idle{harness};
    RawClient partial{harness};
    partial.send("{");
    harness.run_ready();
    RawClient not_begun{harness};
    const auto begin = Clock::now();
    harness.run_to_end(harness.server.drain(10s));
    CHECK(Clock::now() - begin < 5s);
    CHECK(idle.is_closed_by_server());
    CHECK(partial.is_closed_by_server());
    CHECK(not_begun.is_closed_by_server());
    RawClient late{harness};
    CHECK(late.is_closed_by_server());
    CHECK(harness.server.connections() == 0);
}

TEST_CASE("calls that run may end while draining; those behind them are not begun") {
    Harness harness;
    RawClient client{harness};
    client.send(RawClient::message("Count", R"({"to":20000})", R"(,"more":true)") +
                RawClient::message("Ping", R"({"text":"late"})"));
    CHECK(client.read()->continues);
    bool drained = false;
    const auto body = [&]() -> wharf::Awaitable<> {
        co_await harness.server.drain(10s);
        drained = true;
    };
    wharf::async::TaskGroup group{harness.context.get_executor()};
    group.spawn("drain", body());
    harness.run_ready();
    CHECK_FALSE(drained);
    std::int64_t last = 0;
    while (const auto reply = client.read()) {
        last = reply->parameters.at("number").as_int64();
    }
    CHECK(last == 20'000);
    harness.run_until([&] { return drained; });
    CHECK(harness.state.pings.empty());
}

TEST_CASE("after the deadline calls are cancelled, and told so if they listen") {
    Harness harness;
    RawClient hanging{harness};
    RawClient deaf{harness};
    hanging.send(RawClient::message("Hang"));
    deaf.send(RawClient::message("Count", R"({"to":100000000})", R"(,"more":true)"));
    harness.run_until([&] { return harness.state.hanging == 1; });
    const auto begin = Clock::now();
    harness.run_to_end(harness.server.drain(30ms));
    CHECK(Clock::now() - begin >= 30ms);
    CHECK(harness.state.hung == 1);
    CHECK(harness.server.connections() == 0);
    CHECK(hanging.read()->error == "org.wharf.Cancelled");
    CHECK(hanging.is_closed_by_server());
}

TEST_CASE("draining twice is harmless") {
    Harness harness;
    harness.run_to_end(harness.server.drain(0ms));
    harness.run_to_end(harness.server.drain(0ms));
    harness.server.stop_accepting();
    CHECK(harness.server.connections() == 0);
}
