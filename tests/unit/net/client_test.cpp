#include "tests/unit/net/client_fixture.hpp"

#include <fmt/format.h>

#include <future>

using namespace std::chrono_literals;
using wharf::Awaitable;
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
        client.distrust_connections();
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
