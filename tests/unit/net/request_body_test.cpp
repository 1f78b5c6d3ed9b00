#include "daemon/async/task_group.hpp"
#include "daemon/net/http_exchange.hpp"
#include "tests/unit/net/canned_stream.hpp"
#include "tests/unit/net/stream_body.hpp"
#include "tests/unit/net/test_authority.hpp"

#include <fmt/format.h>

#include <future>
#include <thread>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::net::HttpClient;
using wharf::net::HttpRequest;
using wharf::test::answer;
using wharf::test::fetch;
using wharf::test::fetch_once;
using wharf::test::Fetched;
using wharf::test::get;
using wharf::test::Peer;
using wharf::test::quick_options;
using wharf::test::server_tls;
using wharf::test::ServerTls;
using wharf::test::StreamBody;
using wharf::test::StreamPlan;
using wharf::test::TestServer;
using wharf::test::Trusting;

namespace {

constexpr std::uint64_t far_too_much = std::uint64_t{1} << 40;

HttpRequest put(const std::string& url, std::shared_ptr<wharf::net::RequestBody> body) {
    auto request = get(url);
    request.method = "PUT";
    request.stream = std::move(body);
    return request;
}

HttpRequest put(const std::string& url, StreamPlan plan) {
    return put(url, std::make_shared<StreamBody>(std::move(plan)));
}

std::optional<ServerTls> with_tls(bool tls) {
    return tls ? std::optional{server_tls()} : std::nullopt;
}

std::string body_of(const std::string& request) {
    const auto end = request.find("\r\n\r\n");
    return end == std::string::npos ? "" : request.substr(end + 4);
}

/// Answers each request with the size of its body, or with "wrong".
void answer_with_size(Peer& peer, int) {
    for (;;) {
        const auto request = peer.read_request();
        if (request.empty()) {
            return;
        }
        const auto body = body_of(request);
        const bool right = body == StreamBody::text(body.size());
        peer.write(answer(right ? fmt::to_string(body.size()) : "wrong"));
    }
}

/// Waits until the sender waits, most likely: nobody reads what it has sent.
void wait_until_stuck(const StreamBody& body) {
    std::uint64_t before = 0;
    do {
        before = body.position();
        std::this_thread::sleep_for(30ms);
    } while (body.position() != before);
}

/// What a request with this body puts on the wire, and what came of it.
struct Wire {
    std::string sent;
    std::optional<Error> error;
};

Wire wire_of(StreamPlan plan) {
    Wire wire;
    auto stream = std::make_unique<wharf::test::CannedStream>(answer("ok"));
    const auto sent = stream->sent;
    const auto test = [&]() -> Awaitable<> {
        wharf::net::HttpExchange exchange{std::move(stream), {1s, 1s, 1024, 4096}};
        wharf::net::OutgoingRequest request;
        request.header = "HEADER";
        request.body = std::make_shared<StreamBody>(std::move(plan));
        try {
            co_await exchange.run(std::move(request));
        } catch (const Error& error) {
            wire.error = error;
        }
        CHECK(exchange.is_reusable() == !wire.error.has_value());
    };
    wharf::test::run(test());
    wire.sent = *sent;
    return wire;
}

} // namespace

TEST_CASE("a stream is sent whole whatever its size and however it is read") {
    constexpr std::uint64_t piece = 256 << 10;
    for (const std::uint64_t size :
         {std::uint64_t{0}, std::uint64_t{1}, piece - 1, piece, piece + 1, 3 * piece}) {
        for (const std::size_t step : {std::size_t{4099}, SIZE_MAX}) {
            CAPTURE(size);
            CAPTURE(step);
            const auto wire = wire_of({.announced = size, .given = size, .step = step});
            CHECK_FALSE(wire.error.has_value());
            CHECK(wire.sent == "HEADER" + StreamBody::text(size));
        }
    }
}

TEST_CASE("a stream with fewer or more bytes than announced is our error and never sent as whole") {
    for (const std::uint64_t announced : {100U, 256U << 10, 1'000'000U}) {
        for (const std::uint64_t given : {announced - 1, announced + 1, 2 * announced}) {
            CAPTURE(announced);
            CAPTURE(given);
            const auto wire = wire_of({.announced = announced, .given = given});
            REQUIRE(wire.error.has_value());
            CHECK(wire.error->kind() == ErrorKind::internal);
            CHECK(wire.sent.size() < announced + 6);
        }
    }
    CHECK(wire_of({.announced = 100, .given = 99}).error->message() ==
          "a request's body announced 100 bytes and has 99");
}

TEST_CASE("streams go over a kept connection, plain and with TLS, and are counted") {
    const Trusting trusting;
    for (const bool tls : {false, true}) {
        CAPTURE(tls);
        TestServer server{answer_with_size, with_tls(tls)};
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), trusting.options};
        const auto body = [&]() -> Awaitable<> {
            const std::uint64_t size = 5'000'001;
            for (const std::size_t step : {SIZE_MAX, std::size_t{70'001}}) {
                Fetched fetched;
                co_await fetch(client, put(server.url(), {.announced = size, .step = step}),
                               fetched);
                CHECK(fetched.message() == "no error");
                CHECK(fetched.body == "5000001");
            }
            CHECK(client.bytes_sent() > 2 * size);
            CHECK(client.bytes_sent() < 2 * size + size / 10);
            CHECK(server.connections() == 1);
        };
        wharf::test::run(body(), context);
    }
}

TEST_CASE("streams go through proxies, with and without a tunnel") {
    const Trusting trusting;
    auto options = trusting.options;
    options.no_proxy = "direct.example";
    TestServer* self = nullptr;
    TestServer proxy{[&](Peer& peer, int connection) {
        if (connection == 1) {
            peer.read_request();
            peer.write("HTTP/1.1 200 OK\r\n\r\n");
            peer.start_tls(self->tls());
        }
        answer_with_size(peer, connection);
    }};
    self = &proxy;
    proxy.set_inner_tls(server_tls({.names = "DNS:cdn.example"}));
    options.proxy = fmt::format("http://127.0.0.1:{}", proxy.port());
    for (const auto* url : {"https://cdn.example/", "http://cdn.example/"}) {
        const auto fetched = fetch_once(options, put(url, {.announced = 3'000'000}));
        CHECK(fetched.message() == "no error");
        CHECK(fetched.body == "3000000");
    }
}

TEST_CASE("a refusal amid a stream ends the sending, whether the peer goes on reading or not") {
    const Trusting trusting;
    enum class Then { reads_on, waits, resets };
    for (const bool tls : {false, true}) {
        for (const auto then : {Then::reads_on, Then::waits, Then::resets}) {
            CAPTURE(tls);
            CAPTURE(static_cast<int>(then));
            std::promise<void> done;
            const auto body = std::make_shared<StreamBody>(StreamPlan{.announced = far_too_much});
            TestServer server{[&](Peer& peer, int) {
                                  peer.skip(1'000'000);
                                  if (then == Then::resets) { // a sender that waits meets it
                                      wait_until_stuck(*body);
                                  }
                                  peer.write(
                                      "HTTP/1.1 403 Expired\r\nContent-Length: 3\r\n\r\nold");
                                  if (then == Then::reads_on) {
                                      peer.wait_for_close();
                                  } else if (then == Then::resets) {
                                      peer.reset();
                                  } else {
                                      done.get_future().wait();
                                  }
                              },
                              with_tls(tls)};
            auto options = trusting.options;
            options.stall_timeout = then == Then::waits ? 50ms : 4000ms;
            const auto fetched = fetch_once(options, put(server.url(), body));
            done.set_value();
            CHECK(fetched.message() == "no error");
            CHECK(fetched.status == 403);
            CHECK(fetched.body == "old");
            CHECK(server.connections() == 1);
        }
    }
}

TEST_CASE("a refusal that comes with a reset is heard between the pieces too") {
    const Trusting trusting;
    for (const bool tls : {false, true}) {
        CAPTURE(tls);
        std::promise<void> gone;
        auto is_gone = gone.get_future();
        TestServer server{[&](Peer& peer, int) {
                              peer.skip(100);
                              peer.write("HTTP/1.1 403 Expired\r\nContent-Length: 3\r\n\r\nold");
                              peer.reset();
                              gone.set_value();
                          },
                          with_tls(tls)};
        StreamPlan plan{.announced = far_too_much, .stop_at = 100'000};
        plan.on_stop = [&]() -> Awaitable<> {
            is_gone.wait();
            co_return;
        };
        const auto fetched = fetch_once(trusting.options, put(server.url(), plan));
        CHECK(fetched.message() == "no error");
        CHECK(fetched.status == 403);
        CHECK(fetched.body == "old");
    }
}

TEST_CASE("a peer that resets or stalls amid a stream is a network error") {
    const Trusting trusting;
    for (const bool tls : {false, true}) {
        CAPTURE(tls);
        TestServer resets{[](Peer& peer, int) {
                              peer.skip(1'000'000);
                              peer.reset();
                          },
                          with_tls(tls)};
        auto fetched = fetch_once(trusting.options, put(resets.url(), {.announced = far_too_much}));
        REQUIRE(fetched.error.has_value());
        CHECK(fetched.error->kind() == ErrorKind::network);
        CHECK(resets.connections() == 1); // it was a fresh one: not tried again

        std::promise<void> done;
        TestServer stalls{[&](Peer& peer, int) {
                              peer.skip(1'000'000);
                              done.get_future().wait();
                          },
                          with_tls(tls)};
        auto options = trusting.options;
        options.stall_timeout = 50ms;
        fetched = fetch_once(options, put(stalls.url(), {.announced = far_too_much}));
        done.set_value();
        REQUIRE(fetched.error.has_value());
        CHECK(fetched.error->kind() == ErrorKind::network);
        CHECK(fetched.message().starts_with("sending to "));
        CHECK(fetched.message().ends_with(" 50 ms"));
    }
}

TEST_CASE("a body that takes its time is nobody's stall") {
    TestServer server{answer_with_size};
    auto options = quick_options();
    options.stall_timeout = 20ms;
    StreamPlan plan{.announced = 300'000, .stop_at = 100'000};
    plan.on_stop = []() -> Awaitable<> { return wharf::async::sleep_for(60ms); };
    CHECK(fetch_once(options, put(server.url(), plan)).body == "300000");
}

TEST_CASE("a body's own error is what send() throws; nothing is kept or tried again") {
    TestServer server{answer_with_size};
    for (const std::uint64_t stop_at : {0U, 1'000'000U}) {
        for (const bool as_lost : {false, true}) { // a body may read from a network itself
            CAPTURE(stop_at);
            CAPTURE(as_lost);
            const int before = server.connections();
            wharf::asio::io_context context;
            HttpClient client{context.get_executor(), quick_options()};
            StreamPlan plan{.announced = 2'000'000, .stop_at = stop_at};
            plan.on_stop = [as_lost]() -> Awaitable<> {
                if (as_lost) {
                    throw wharf::net::ConnectionLost{"the source is gone"};
                }
                throw Error{ErrorKind::storage, "the disk is gone"};
                co_return;
            };
            const auto stream = std::make_shared<StreamBody>(plan);
            const auto body = [&]() -> Awaitable<> {
                Fetched fetched;
                co_await fetch(client, get(server.url()), fetched); // keeps a connection
                co_await fetch(client, put(server.url(), stream), fetched);
                CHECK(fetched.message() == (as_lost ? "the source is gone" : "the disk is gone"));
                CHECK(fetched.error->kind() == (as_lost ? ErrorKind::network : ErrorKind::storage));
                CHECK(stream->rewinds() == 1);
                CHECK(server.connections() == before + 1);
                co_await fetch(client, get(server.url()), fetched);
                CHECK(server.connections() == before + 2);
            };
            wharf::test::run(body(), context);
        }
    }
}

TEST_CASE("a stream on a kept connection that was dead begins anew on a fresh one: PUT, not POST") {
    for (const bool is_put : {true, false}) {
        for (const std::size_t seen : {std::size_t{50}, std::size_t{1'000'000}}) {
            CAPTURE(is_put);
            CAPTURE(seen);
            TestServer server{[&](Peer& peer, int connection) {
                if (connection == 1) {
                    peer.read_request();
                    peer.write(answer("ok"));
                    peer.skip(seen);
                    peer.reset();
                    return;
                }
                answer_with_size(peer, connection);
            }};
            const auto stream = std::make_shared<StreamBody>(StreamPlan{.announced = 3'000'000});
            wharf::asio::io_context context;
            HttpClient client{context.get_executor(), quick_options()};
            const auto body = [&]() -> Awaitable<> {
                Fetched first;
                co_await fetch(client, get(server.url()), first);
                Fetched second;
                auto request = put(server.url(), stream);
                request.method = is_put ? "PUT" : "POST";
                co_await fetch(client, std::move(request), second);
                CHECK(second.body == (is_put ? "3000000" : ""));
                CHECK(second.error.has_value() == !is_put);
                CHECK(stream->rewinds() == (is_put ? 2 : 1));
                CHECK(server.connections() == (is_put ? 2 : 1));
            };
            wharf::test::run(body(), context);
        }
    }
}

TEST_CASE("a request with a stream can be sent again as it is") {
    TestServer server{answer_with_size};
    const auto request = put(server.url(), {.announced = 1'000});
    CHECK(fetch_once(quick_options(), request).body == "1000");
    CHECK(fetch_once(quick_options(), request).body == "1000");
}

TEST_CASE("cancelling amid a stream ends the request and does not spoil the client") {
    const Trusting trusting;
    for (const bool in_body : {true, false}) {
        CAPTURE(in_body);
        std::promise<void> done;
        const auto over = done.get_future().share();
        TestServer server{[&](Peer& peer, int connection) {
                              connection == 1 ? over.wait() : answer_with_size(peer, connection);
                          },
                          server_tls()};
        StreamPlan plan{.announced = far_too_much};
        if (in_body) {
            plan.stop_at = 100'000;
            plan.on_stop = []() -> Awaitable<> { return wharf::async::sleep_for(1h); };
        }
        const auto stream = std::make_shared<StreamBody>(plan);
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), trusting.options};
        wharf::async::TaskGroup group{context.get_executor()};
        Fetched cancelled;
        const auto body = [&]() -> Awaitable<> {
            group.spawn("put", fetch(client, put(server.url(), stream), cancelled));
            while (stream->position() < 100'000) {
                co_await wharf::async::sleep_for(1ms);
            }
            group.cancel();
            co_await group.join();
            CHECK(cancelled.message() == "no error");
            CHECK(cancelled.status == 0);
            CHECK(stream.use_count() == 1);
            Fetched fetched;
            co_await fetch(client, put(server.url(), {.announced = 10}), fetched);
            CHECK(fetched.body == "10");
        };
        wharf::test::run(body(), context);
        done.set_value();
    }
}
