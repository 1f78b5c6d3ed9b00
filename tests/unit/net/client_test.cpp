#include "daemon/async/task_group.hpp"
#include "tests/unit/net/client_fixture.hpp"

#include <fmt/format.h>

#include <future>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::net::HttpClient;
using wharf::net::HttpOptions;
using wharf::net::HttpRequest;
using wharf::test::answer;
using wharf::test::fetch;
using wharf::test::fetch_once;
using wharf::test::Fetched;
using wharf::test::get;
using wharf::test::Peer;
using wharf::test::quick_options;
using wharf::test::TestServer;

namespace {

/// Answers every request of a connection with its number and the request's first line.
void answer_all(Peer& peer, int connection) {
    for (;;) {
        const auto request = peer.read_request();
        if (request.empty()) {
            return;
        }
        peer.write(
            answer(fmt::format("{}: {}", connection, request.substr(0, request.find("\r\n")))));
    }
}

HttpRequest post(const std::string& url, std::string body) {
    auto request = get(url);
    request.method = "POST";
    request.body = std::move(body);
    return request;
}

} // namespace

TEST_CASE("requests to one host share a connection, one after the other") {
    TestServer server{answer_all};
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), quick_options()};
    const auto body = [&]() -> Awaitable<> {
        for (int i = 0; i < 3; ++i) {
            Fetched fetched;
            co_await fetch(client, get(server.url("/a?b")), fetched);
            CHECK(fetched.status == 200);
            CHECK(fetched.body == "1: GET /a?b HTTP/1.1");
        }
        CHECK(server.connections() == 1);
        CHECK(client.bytes_received() >= 3 * 20);
        client.close_idle();
        Fetched fetched;
        co_await fetch(client, get(server.url()), fetched);
        CHECK(server.connections() == 2);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("responses at the same time have connections of their own, kept up to the limit") {
    TestServer server{answer_all};
    wharf::asio::io_context context;
    auto options = quick_options();
    options.max_idle_per_host = 2;
    HttpClient client{context.get_executor(), options};
    const auto body = [&]() -> Awaitable<> {
        for (int round = 0; round < 2; ++round) {
            auto first = co_await client.send(get(server.url()));
            auto second = co_await client.send(get(server.url()));
            auto third = co_await client.send(get(server.url()));
            for (auto* response : {&first, &second, &third}) {
                const auto text = co_await response->read_all(100);
                CHECK_FALSE(text.empty());
            }
        }
        CHECK(server.connections() == 4); // two of the three were kept
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a connection whose body was left unread is not used again") {
    const std::string large(1 << 20, 'x');
    TestServer server{[&](Peer& peer, int) {
        while (!peer.read_request().empty()) {
            peer.write(answer(large));
        }
    }};
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), quick_options()};
    const auto body = [&]() -> Awaitable<> {
        {
            auto response = co_await client.send(get(server.url()));
            CHECK(response.content_length() == large.size());
            std::byte buffer[10];
            const auto count = co_await response.read_some(buffer);
            CHECK(count > 0);
        }
        Fetched fetched;
        co_await fetch(client, get(server.url()), fetched);
        CHECK(fetched.body == large);
        CHECK(server.connections() == 2);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("answers that end the connection, or lie about their length, are not followed") {
    for (const auto& text :
         {answer("hi", "Connection: close\r\n"), answer("hi") + "!", answer("hi") + answer("evil"),
          std::string{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"}}) {
        CAPTURE(text);
        TestServer server{[&](Peer& peer, int) {
            while (!peer.read_request().empty()) {
                peer.write(text);
            }
        }};
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), quick_options()};
        const auto body = [&]() -> Awaitable<> {
            for (int i = 0; i < 2; ++i) {
                Fetched fetched;
                co_await fetch(client, get(server.url()), fetched);
                CHECK(fetched.body == "hi");
            }
            CHECK(server.connections() == 2);
        };
        wharf::test::run(body(), context);
    }
}

TEST_CASE("a kept connection on which the peer closed or spoke is noticed before it is used") {
    for (const std::string farewell : {"", "HTTP/1.1 408 Request Timeout\r\n\r\n"}) {
        CAPTURE(farewell);
        std::promise<void> go;
        std::promise<void> gone;
        TestServer server{[&](Peer& peer, int connection) {
            peer.read_request();
            peer.write(answer("ok"));
            if (connection == 1) {
                go.get_future().wait();
                farewell.empty() ? peer.close() : peer.write(farewell);
                gone.set_value();
            }
            peer.wait_for_close();
        }};
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), quick_options()};
        const auto body = [&]() -> Awaitable<> {
            Fetched first;
            co_await fetch(client, get(server.url()), first);
            go.set_value();
            gone.get_future().wait();
            Fetched second; // not even a POST meets the dead connection
            co_await fetch(client, post(server.url(), "x"), second);
            CHECK(second.message() == "no error");
            CHECK(second.body == "ok");
            CHECK(server.connections() == 2);
        };
        wharf::test::run(body(), context);
    }
}

TEST_CASE("a kept connection that dies under a request is replaced once, if it may be") {
    const auto serve = [](Peer& peer, int connection) {
        peer.read_request();
        peer.write(answer("ok"));
        peer.read_request();
        if (connection == 1) {
            peer.reset();
            return;
        }
        peer.write(answer("late"));
        peer.wait_for_close();
    };
    for (const bool is_post : {false, true}) {
        CAPTURE(is_post);
        TestServer server{serve};
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), quick_options()};
        const auto body = [&]() -> Awaitable<> {
            Fetched first;
            co_await fetch(client, get(server.url()), first);
            Fetched second;
            co_await fetch(client, is_post ? post(server.url(), "x") : get(server.url()), second);
            CHECK(second.error.has_value() == is_post);
            CHECK(second.body == (is_post ? "" : "ok"));
            CHECK(server.connections() == (is_post ? 1 : 2));
        };
        wharf::test::run(body(), context);
    }
}

TEST_CASE("a fresh connection that dies is not tried again, nor one that had begun to answer") {
    TestServer silent{[](Peer& peer, int) {
        peer.read_request();
        peer.close();
    }};
    const auto fetched = fetch_once(quick_options(), get(silent.url()));
    REQUIRE(fetched.error.has_value());
    CHECK(fetched.error->kind() == ErrorKind::network);
    CHECK(fetched.message() ==
          fmt::format("127.0.0.1:{} closed the connection without an answer", silent.port()));
    CHECK(silent.connections() == 1);

    TestServer stutterer{[](Peer& peer, int) {
        peer.read_request();
        peer.write(answer("ok"));
        peer.read_request();
        peer.write("HTTP/1.1 2");
        peer.close();
    }};
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), quick_options()};
    const auto body = [&]() -> Awaitable<> {
        Fetched first;
        co_await fetch(client, get(stutterer.url()), first);
        Fetched second;
        co_await fetch(client, get(stutterer.url()), second);
        CHECK(second.message().ends_with("closed the connection amid the header of its answer"));
        CHECK(stutterer.connections() == 1);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("HEAD answers have no body but keep the connection") {
    TestServer server{[](Peer& peer, int) {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\nETag: \"e\"\r\n\r\n");
        peer.read_request();
        peer.write(answer("ok"));
        peer.wait_for_close();
    }};
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), quick_options()};
    const auto body = [&]() -> Awaitable<> {
        {
            auto request = get(server.url());
            request.method = "HEAD";
            auto response = co_await client.send(std::move(request));
            CHECK(response.content_length() == 12345);
            CHECK(response.headers().find("etag") == "\"e\"");
            std::byte buffer[10];
            const auto count = co_await response.read_some(buffer);
            CHECK(count == 0);
        }
        Fetched fetched;
        co_await fetch(client, get(server.url()), fetched);
        CHECK(fetched.body == "ok");
        CHECK(server.connections() == 1);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("redirects are answers like any other") {
    TestServer server{[](Peer& peer, int) {
        peer.read_request();
        peer.write(
            "HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\nContent-Length: 0\r\n\r\n");
        peer.wait_for_close();
    }};
    const auto fetched = fetch_once(quick_options(), get(server.url()));
    CHECK(fetched.status == 302);
}

TEST_CASE("a large body goes up whole, also when the peer reads slowly") {
    std::promise<std::string> received;
    TestServer server{[&](Peer& peer, int) {
        received.set_value(peer.read_request());
        peer.write(answer("ok"));
        peer.wait_for_close();
    }};
    std::string large(8 << 20, 'x');
    for (std::size_t i = 0; i < large.size(); i += 1001) {
        large[i] = static_cast<char>('a' + i % 26);
    }
    const auto fetched = fetch_once(quick_options(), post(server.url("/up"), large));
    CHECK(fetched.body == "ok");
    const auto request = received.get_future().get();
    CHECK(request.starts_with("POST /up HTTP/1.1\r\n"));
    CHECK(request.substr(request.find("\r\n\r\n") + 4) == large);
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
