#include "daemon/async/task_group.hpp"
#include "tests/unit/net/client_fixture.hpp"

#include <fmt/format.h>

#include <future>
#include <thread>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::net::HttpClient;
using wharf::test::answer;
using wharf::test::answer_all;
using wharf::test::fetch;
using wharf::test::fetch_once;
using wharf::test::Fetched;
using wharf::test::get;
using wharf::test::Peer;
using wharf::test::post;
using wharf::test::quick_options;
using wharf::test::TestServer;

TEST_CASE("a refusal is heard although the peer does not read on; interim answers change nothing") {
    std::promise<void> done;
    auto finished = done.get_future().share();
    TestServer refuses{[&](Peer& peer, int) {
        peer.write("HTTP/1.1 403 Expired\r\nContent-Length: 3\r\n\r\nold");
        finished.wait();
    }};
    auto options = quick_options();
    options.stall_timeout = 50ms;
    auto fetched = fetch_once(options, post(refuses.url(), std::string(64 << 20, 'x')));
    done.set_value();
    CHECK(fetched.status == 403);
    CHECK(fetched.body == "old");

    TestServer chatty{[](Peer& peer, int) {
        peer.write("HTTP/1.1 100 Continue\r\n\r\n");
        const auto request = peer.read_request();
        peer.write(answer(fmt::format("{}", request.size() > (8 << 20))));
        peer.wait_for_close();
    }};
    fetched = fetch_once(quick_options(), post(chatty.url(), std::string(8 << 20, 'x')));
    CHECK(fetched.body == "true");
}

TEST_CASE("every step has its deadline and its name") {
    wharf::test::BlackHole hole;
    auto options = quick_options();
    options.connect_timeout = 10ms;
    auto fetched =
        fetch_once(options, get(fmt::format("http://127.0.0.1:{}/?s3cret", hole.port())));
    CHECK(fetched.message() ==
          fmt::format("connecting to 127.0.0.1:{} timed out after 10 ms", hole.port()));

    TestServer mute{[](Peer& peer, int) { peer.wait_for_close(); }};
    options = quick_options();
    options.first_byte_timeout = 10ms;
    fetched = fetch_once(options, get(mute.url("/?s3cret")));
    CHECK(fetched.message() == fmt::format("waiting for an answer from 127.0.0.1:{} timed out "
                                           "after 10 ms",
                                           mute.port()));
    CHECK(fetched.error->kind() == ErrorKind::network);
    CHECK(mute.connections() == 1); // a time-out is no reason to try again

    // Interim answers and a slow header do not extend the time.
    TestServer chatty{[](Peer& peer, int) {
        peer.read_request();
        peer.write("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 2");
        peer.wait_for_close();
    }};
    fetched = fetch_once(options, get(chatty.url()));
    CHECK(fetched.message().starts_with("waiting for an answer from"));

    for (const char* start : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nha",
                              "HTTP/1.1 200 OK\r\n\r\nhalf"}) {
        TestServer stalled{[&](Peer& peer, int) {
            peer.read_request();
            peer.write(start);
            peer.wait_for_close();
        }};
        options = quick_options();
        options.stall_timeout = 10ms;
        fetched = fetch_once(options, get(stalled.url("/?s3cret")));
        CHECK(fetched.message() ==
              fmt::format("reading from 127.0.0.1:{} timed out after 10 ms", stalled.port()));
    }

    options = quick_options();
    options.stall_timeout = 20ms;
    std::promise<void> done;
    auto finished = done.get_future();
    TestServer never_reads{[&](Peer&, int) { finished.wait(); }};
    fetched = fetch_once(options, post(never_reads.url(), std::string(64 << 20, 'x')));
    done.set_value();
    CHECK(fetched.message() ==
          fmt::format("sending to 127.0.0.1:{} timed out after 20 ms", never_reads.port()));
}

namespace {

/// Writes a byte now and then until the client has had enough.
void dribble(Peer& peer, std::string_view start) {
    peer.read_request();
    peer.write(start);
    for (int i = 0; i < 5000; ++i) {
        std::this_thread::sleep_for(1ms);
        peer.write("1");
    }
}

} // namespace

TEST_CASE("a dribbling peer is given up: amid the header by time, amid a body by its speed") {
    TestServer endless_header{[](Peer& peer, int) { dribble(peer, "HTTP/1.1 200 OK\r\nX: "); }};
    auto options = quick_options();
    options.first_byte_timeout = 30ms;
    auto fetched = fetch_once(options, get(endless_header.url()));
    CHECK(fetched.message() ==
          fmt::format("waiting for an answer from 127.0.0.1:{} timed out after 30 ms",
                      endless_header.port()));

    for (const char* start : {"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
                              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n",
                              "HTTP/1.1 200 OK\r\n\r\n"}) {
        TestServer slow{[&](Peer& peer, int) { dribble(peer, start); }};
        options = quick_options();
        options.stall_timeout = 300ms;
        options.min_speed = 10'000; // 3,000 bytes in that time
        fetched = fetch_once(options, get(slow.url("/?s3cret")));
        CHECK(fetched.error->kind() == ErrorKind::network);
        CHECK(fetched.message().starts_with(
            fmt::format("reading from 127.0.0.1:{}: only ", slow.port())));
        CHECK(fetched.message().ends_with(" bytes in 300 ms"));
    }
}

TEST_CASE("a body may come slowly if every byte is enough, and be read slowly in any case") {
    TestServer slow{[](Peer& peer, int) {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n");
        for (int i = 0; i < 60; ++i) {
            std::this_thread::sleep_for(20ms);
            peer.write("1");
        }
    }};
    auto options = quick_options();
    options.stall_timeout = 1s; // less than all of it takes
    options.min_speed = 0;
    CHECK(fetch_once(options, get(slow.url())).body == std::string(60, '1'));

    TestServer quick{[](Peer& peer, int) {
        peer.read_request();
        peer.write(answer(std::string(60, '1')));
        peer.wait_for_close();
    }};
    options.min_speed = 1'000'000;
    options.stall_timeout = 20ms;
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), options};
    std::size_t total = 0;
    const auto body = [&]() -> Awaitable<> {
        auto response = co_await client.send(get(quick.url()));
        std::byte byte{};
        for (;;) {
            const auto count = co_await response.read_some({&byte, 1});
            if (count == 0) {
                break;
            }
            total += count;
            co_await wharf::async::sleep_for(2ms);
        }
    };
    wharf::test::run(body(), context);
    CHECK(total == 60);
}

TEST_CASE("a request's body that hardly moves is given up") {
    TestServer sips{[](Peer& peer, int) { peer.sip(); }};
    auto options = quick_options();
    options.stall_timeout = 300ms;
    options.min_speed = 1'000'000'000;
    const auto fetched = fetch_once(options, post(sips.url(), std::string(64 << 20, 'x')));
    CHECK(fetched.message().starts_with(fmt::format("sending to 127.0.0.1:{}", sips.port())));
    CHECK(fetched.message().ends_with(" bytes in 300 ms"));
}

TEST_CASE("after a sleep the dead connections fail soon and the living go on") {
    std::promise<void> asked;
    std::promise<void> checked;
    TestServer server{[&, checked = checked.get_future().share()](Peer& peer, int connection) {
        peer.read_request();
        if (connection == 1) {
            peer.go_deaf();
            asked.set_value();
        }
        checked.wait();
        peer.write(answer("ok"));
    }};
    auto options = quick_options();
    options.first_byte_timeout = 60s;
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), options};
    wharf::async::TaskGroup group{context.get_executor()};
    Fetched dead;
    Fetched living;
    const auto body = [&]() -> Awaitable<> {
        group.spawn("dead", fetch(client, get(server.url()), dead));
        auto is_deaf = asked.get_future();
        while (is_deaf.wait_for(0s) != std::future_status::ready) {
            co_await wharf::async::sleep_for(1ms);
        }
        group.spawn("living", fetch(client, get(server.url()), living));
        while (server.connections() < 2) {
            co_await wharf::async::sleep_for(1ms);
        }
        client.distrust_connections(1s);
        while (!dead.error) {
            co_await wharf::async::sleep_for(5ms);
        }
        CHECK(living.status == 0); // asked as long, and waits for its answer
        checked.set_value();
        co_await group.join();
    };
    wharf::test::run(body(), context, 20s);
    CHECK(dead.error->kind() == ErrorKind::network);
    CHECK(dead.message() ==
          fmt::format("reading from 127.0.0.1:{}: connection timed out", server.port()));
    CHECK(living.body == "ok");
}

TEST_CASE("a refused connection says so, without the query") {
    const auto port = wharf::test::unused_port();
    const auto fetched =
        fetch_once(quick_options(), get(fmt::format("http://127.0.0.1:{}/x?s3cret", port)));
    CHECK(fetched.message() == fmt::format("connecting to 127.0.0.1:{}: connection refused", port));
}

TEST_CASE("answers are read whole only up to a limit") {
    const std::string sized = answer("0123456789");
    const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "a\r\n0123456789\r\n0\r\n\r\n";
    for (const auto& text : {sized, chunked}) {
        TestServer server{[&](Peer& peer, int) {
            while (!peer.read_request().empty()) {
                peer.write(text);
            }
        }};
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), quick_options()};
        const auto body = [&]() -> Awaitable<> {
            {
                auto response = co_await client.send(get(server.url()));
                CHECK(response.content_length().has_value() == (text == sized));
                std::optional<Error> error;
                try {
                    co_await response.read_all(9);
                } catch (const Error& caught) {
                    error = caught;
                }
                REQUIRE(error.has_value());
                CHECK(error->kind() == ErrorKind::protocol);
            }
            auto exact = co_await client.send(get(server.url()));
            const auto all = co_await exact.read_all(10);
            CHECK(all == "0123456789");
        };
        wharf::test::run(body(), context);
    }
}

TEST_CASE("the header's limit comes from the options") {
    TestServer server{[](Peer& peer, int) {
        peer.read_request();
        peer.write(answer("ok", "X: " + std::string(2000, 'x') + "\r\n"));
        peer.wait_for_close();
    }};
    auto options = quick_options();
    CHECK(fetch_once(options, get(server.url())).body == "ok");
    options.max_header_bytes = 1000;
    CHECK(fetch_once(options, get(server.url())).error->kind() == ErrorKind::protocol);
}

TEST_CASE("a request that would smuggle something is not sent") {
    TestServer server{answer_all};
    auto request = get(server.url());
    request.headers.add("X", "a\r\nAuthorization: y");
    const auto fetched = fetch_once(quick_options(), request);
    CHECK(fetched.error->kind() == ErrorKind::invalid_request);
    CHECK(server.connections() == 0);
}

TEST_CASE("cancelling amid a body leaves nothing behind and does not spoil the client") {
    TestServer server{[](Peer& peer, int connection) {
        peer.read_request();
        peer.write(connection == 1 ? "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
                                   : answer("ok"));
        peer.wait_for_close();
    }};
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), quick_options()};
    wharf::async::TaskGroup group{context.get_executor()};
    bool got_half = false;
    const auto read_half = [&]() -> Awaitable<> {
        auto response = co_await client.send(get(server.url()));
        std::byte buffer[10];
        for (;;) {
            co_await response.read_some(buffer);
            got_half = true;
        }
    };
    const auto body = [&]() -> Awaitable<> {
        group.spawn("read", read_half());
        while (!got_half) {
            co_await wharf::async::sleep_for(1ms);
        }
        group.cancel();
        co_await group.join();
        Fetched fetched;
        co_await fetch(client, get(server.url()), fetched);
        CHECK(fetched.body == "ok");
        CHECK(server.connections() == 2);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("cancelling at any step ends the request") {
    TestServer mute{[](Peer& peer, int) { peer.wait_for_close(); }};
    wharf::test::BlackHole hole;
    for (const auto& url : {mute.url(), fmt::format("http://127.0.0.1:{}/", hole.port())}) {
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), quick_options()};
        wharf::async::TaskGroup group{context.get_executor()};
        Fetched fetched;
        const auto body = [&]() -> Awaitable<> {
            group.spawn("fetch", fetch(client, get(url), fetched));
            co_await wharf::async::sleep_for(5ms);
            group.cancel();
            co_await group.join();
            CHECK_FALSE(fetched.error.has_value());
            CHECK(fetched.status == 0);
        };
        wharf::test::run(body(), context);
    }
}
