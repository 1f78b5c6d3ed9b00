// What the kernel has taken of a request's body is not with the peer: the time for an answer counts
// from when it is.

#include "daemon/net/http_exchange.hpp"
#include "tests/unit/net/canned_stream.hpp"
#include "tests/unit/net/stream_body.hpp"
#include "tests/unit/net/test_authority.hpp"

#include <fmt/format.h>

#include <future>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::net::HttpExchange;
using wharf::net::OutgoingRequest;
using wharf::test::answer;
using wharf::test::CannedStream;
using wharf::test::Peer;
using wharf::test::server_tls;
using wharf::test::StreamBody;
using wharf::test::TestServer;
using wharf::test::Trusting;

namespace {

using Clock = std::chrono::steady_clock;

/// Runs one exchange over the stream, which is there until `check` has returned.
void exchange_over(std::unique_ptr<CannedStream> stream, bool has_body,
                   const std::function<void(CannedStream&, HttpExchange&)>& check) {
    CannedStream& peer = *stream;
    const auto test = [&]() -> Awaitable<> {
        HttpExchange exchange{std::move(stream), {1h, 1h, 1024, 4096}};
        OutgoingRequest request;
        request.header = "HEADER";
        if (has_body) {
            request.body = wharf::net::make_body("body");
        }
        co_await exchange.run(std::move(request));
        check(peer, exchange);
    };
    wharf::test::run(test());
}

} // namespace

TEST_CASE("the time for an answer begins when the peer has the body") {
    auto stream = std::make_unique<CannedStream>(answer("ok"));
    stream->queue = 3000;
    int waits = 0;
    Clock::time_point sent{};
    stream->on_wait = [&](CannedStream& peer, std::chrono::milliseconds longest) {
        ++waits;
        CHECK(longest <= 100ms);
        CHECK(peer.reads == 0);
        peer.queue -= 1000;
        sent = Clock::now();
    };
    exchange_over(std::move(stream), true, [&](CannedStream& peer, HttpExchange& exchange) {
        CHECK(waits == 3);
        CHECK(peer.read_deadline >= sent + 1h);
        CHECK(exchange.status() == 200);
    });
}

TEST_CASE("an answer is read at once, whatever the kernel still holds") {
    auto stream = std::make_unique<CannedStream>("HTTP/1.1 100 Continue\r\n\r\n" + answer("ok"));
    stream->queue = 3000;
    stream->on_wait = [](CannedStream& peer, std::chrono::milliseconds) { peer.quiet = false; };
    exchange_over(std::move(stream), true, [](CannedStream& peer, HttpExchange& exchange) {
        CHECK(peer.queue == 3000);
        CHECK(exchange.status() == 200);
    });
}

TEST_CASE("requests without a body are not waited for") {
    auto stream = std::make_unique<CannedStream>(answer("ok"));
    stream->queue = 3000;
    stream->on_wait = [](CannedStream&, std::chrono::milliseconds) { FAIL("waits"); };
    exchange_over(std::move(stream), false,
                  [](CannedStream&, HttpExchange& exchange) { CHECK(exchange.status() == 200); });
}

TEST_CASE("a link that takes longer for a body than a server may for its answer") {
    const Trusting trusting;
    constexpr std::size_t size = 3'000'000;
    for (const bool tls : {false, true}) {
        CAPTURE(tls);
        TestServer server{[](Peer& peer, int) {
                              peer.sip(size, 16 << 10, 5ms); // a second in all
                              peer.write(answer("slow"));
                              peer.wait_for_close();
                          },
                          tls ? std::optional{server_tls()} : std::nullopt};
        auto options = trusting.options;
        options.first_byte_timeout = 300ms;
        auto request = wharf::test::get(server.url());
        request.method = "PUT";
        request.stream = std::make_shared<StreamBody>(wharf::test::StreamPlan{.announced = size});
        const auto fetched = wharf::test::fetch_once(options, request);
        CHECK(fetched.message() == "no error");
        CHECK(fetched.body == "slow");
        CHECK(server.connections() == 1);
    }
}

TEST_CASE("a peer that takes nothing of what the kernel holds stalls, however long an answer may "
          "take") {
    std::promise<void> done;
    TestServer server{[&](Peer& peer, int) {
        peer.skip(100);
        done.get_future().wait();
    }};
    auto options = wharf::test::quick_options();
    options.stall_timeout = 150ms;
    options.first_byte_timeout = 3s;
    // More than the peer's kernel takes, and little enough for ours to take the rest.
    const auto fetched = wharf::test::fetch_once(
        options, wharf::test::post(server.url(), std::string(200'000, 'x')));
    done.set_value();
    CHECK(fetched.message() ==
          fmt::format("sending to 127.0.0.1:{} timed out after 150 ms", server.port()));
}
