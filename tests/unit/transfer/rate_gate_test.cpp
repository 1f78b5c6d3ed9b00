#include "daemon/async/task_group.hpp"
#include "daemon/transfer/rate_gate.hpp"
#include "tests/support/run_coroutine.hpp"

#include <optional>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::hub::Token;
using wharf::transfer::RateGate;
using wharf::transfer::WaitNote;

namespace {

Awaitable<> pass(RateGate& gate, std::string host, Token token, std::shared_ptr<WaitNote> note,
                 bool& passed) {
    co_await gate.pass(std::move(host), std::move(token), std::move(note), 2h);
    passed = true;
}

} // namespace

TEST_CASE("a host's wish holds for the token it was made to, and for no other") {
    wharf::asio::io_context context;
    RateGate gate;
    Error limited{ErrorKind::rate_limited, "429"};
    limited.set_retry_after(1h);
    gate.learn("hub", Token{"alice"}, limited);
    wharf::async::TaskGroup group{context.get_executor()};
    bool same = false;
    bool other_token = false;
    bool other_host = false;
    const auto note = std::make_shared<WaitNote>();
    const auto body = [&]() -> Awaitable<> {
        group.spawn("same", pass(gate, "hub", Token{"alice"}, note, same));
        group.spawn("token",
                    pass(gate, "hub", Token{"bob"}, std::make_shared<WaitNote>(), other_token));
        group.spawn("host",
                    pass(gate, "cdn", Token{"alice"}, std::make_shared<WaitNote>(), other_host));
        co_await wharf::async::sleep_for(5ms);
        CHECK_FALSE(same);
        CHECK(gate.is_closed("hub", Token{"alice"}));
        CHECK_FALSE(gate.is_closed("hub", Token{"bob"}));
        CHECK(note->reason == "hub asked to wait 1h 00m");
        CHECK(other_token);
        CHECK(other_host);
        group.cancel();
        co_await group.join();
    };
    wharf::test::run(body(), context);
}

TEST_CASE("errors that name no time close no gate, and a past time opens it") {
    wharf::asio::io_context context;
    RateGate gate;
    gate.learn("hub", Token{}, Error{ErrorKind::rate_limited, "429"});
    Error busy{ErrorKind::unavailable, "503"};
    busy.set_retry_after(1h);
    gate.learn("hub", Token{}, busy);
    Error brief{ErrorKind::rate_limited, "429"};
    brief.set_retry_after(0s);
    gate.learn("hub", Token{}, brief);
    bool passed = false;
    wharf::test::run(pass(gate, "hub", Token{}, std::make_shared<WaitNote>(), passed), context);
    CHECK(passed);
}

TEST_CASE("who would have to wait too long is told so at once, and that prolongs nothing") {
    wharf::asio::io_context context;
    RateGate gate;
    Error limited{ErrorKind::rate_limited, "429"};
    limited.set_retry_after(3h);
    gate.learn("hub", Token{}, limited);
    const auto body = [&]() -> Awaitable<> {
        for (int i = 0; i < 3; ++i) {
            std::optional<Error> refused;
            try {
                co_await gate.pass("hub", Token{}, std::make_shared<WaitNote>(), 2h);
            } catch (const Error& error) {
                refused = error;
            }
            REQUIRE(refused);
            CHECK(refused->kind() == ErrorKind::rate_limited);
            REQUIRE(refused->retry_after());
            CHECK(*refused->retry_after() < 3h);
            gate.learn("hub", Token{}, *refused);
        }
    };
    wharf::test::run(body(), context);
}
