#include "tests/unit/net/client_fixture.hpp"
#include "tests/unit/net/test_authority.hpp"

#include <fmt/format.h>
#include <openssl/ssl.h>

#include <future>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::net::HttpClient;
using wharf::test::answer;
using wharf::test::authority;
using wharf::test::Certificate;
using wharf::test::CertificateOptions;
using wharf::test::fetch;
using wharf::test::fetch_once;
using wharf::test::Fetched;
using wharf::test::get;
using wharf::test::make_certificate;
using wharf::test::Peer;
using wharf::test::quick_options;
using wharf::test::server_tls;
using wharf::test::ServerTls;
using wharf::test::TemporaryFile;
using wharf::test::TestServer;
using wharf::test::Trusting;

namespace {

void answer_all(Peer& peer, int connection) {
    while (!peer.read_request().empty()) {
        peer.write(answer(fmt::format("{}", connection)));
    }
}

} // namespace

TEST_CASE("TLS connections are verified by name or address, and kept") {
    const Trusting trusting;
    TestServer server{answer_all, server_tls()};
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), trusting.options};
    const auto body = [&]() -> Awaitable<> {
        for (int i = 0; i < 3; ++i) {
            Fetched fetched;
            co_await fetch(client, get(server.url()), fetched);
            CHECK(fetched.message() == "no error");
            CHECK(fetched.body == "1");
        }
        Fetched by_address;
        co_await fetch(client, get(fmt::format("https://127.0.0.1:{}/", server.port())),
                       by_address);
        CHECK(by_address.body == "2");
    };
    wharf::test::run(body(), context);
}

TEST_CASE("certificates that do not prove the host are refused, and the error says why") {
    const Trusting trusting;
    struct Row {
        const char* name;
        CertificateOptions certificate;
        const char* host;
        const char* reason;
        const char* hint;
    };
    const Row rows[] = {
        {"other name", {.names = "DNS:other.example"}, "localhost", "hostname mismatch", "name"},
        {"other address", {.names = "IP:127.0.0.2"}, "127.0.0.1", "IP address mismatch", "name"},
        {"a name is no address", {.names = "DNS:127.0.0.1"}, "127.0.0.1", "IP address", "name"},
        {"an address is no name", {.names = "IP:127.0.0.1"}, "localhost", "hostname", "name"},
        {"expired", {.starts_in_days = -3, .ends_in_days = -1}, "localhost", "expired", "clock"},
        {"not yet", {.starts_in_days = 1, .ends_in_days = 2}, "localhost", "not yet", "clock"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        TestServer server{answer_all, server_tls(row.certificate)};
        const auto fetched = fetch_once(
            trusting.options, get(fmt::format("https://{}:{}/?s3cret", row.host, server.port())));
        REQUIRE(fetched.error.has_value());
        CHECK(fetched.error->kind() == ErrorKind::network);
        CAPTURE(fetched.message());
        CHECK(fetched.message().starts_with(
            fmt::format("the certificate of {}:{} is refused: ", row.host, server.port())));
        CHECK(fetched.message().find(row.reason) != std::string::npos);
        CHECK(fetched.error->hint().find(row.hint) != std::string::npos);
        CHECK(fetched.error->is_lasting());
    }
}

TEST_CASE("an authority that is not ours is not trusted, and the hint names ca_file") {
    const Trusting trusting;
    const Certificate stranger = make_certificate({.is_authority = true}, nullptr);
    TestServer foreign{answer_all, ServerTls{.certificate = make_certificate({}, &stranger)}};
    auto fetched = fetch_once(trusting.options, get(foreign.url()));
    CHECK(fetched.error->kind() == ErrorKind::network);
    CHECK(fetched.error->hint().find("ca_file") != std::string::npos);

    TestServer self_signed{answer_all, ServerTls{.certificate = make_certificate({}, nullptr)}};
    fetched = fetch_once(trusting.options, get(self_signed.url()));
    CHECK(fetched.message().find("self") != std::string::npos);

    TestServer ours{answer_all, server_tls()}; // the system does not know our authority
    fetched = fetch_once(quick_options(), get(ours.url()));
    CHECK(fetched.error->hint().find("ca_file") != std::string::npos);
}

TEST_CASE("TLS 1.2 is spoken, TLS 1.1 is not") {
    const Trusting trusting;
    auto tls = server_tls();
    tls.max_version = TLS1_2_VERSION;
    TestServer older{answer_all, tls};
    CHECK(fetch_once(trusting.options, get(older.url())).body == "1");
    tls.max_version = TLS1_1_VERSION;
    TestServer oldest{answer_all, tls};
    const auto fetched = fetch_once(trusting.options, get(oldest.url()));
    REQUIRE(fetched.error.has_value());
    CHECK(fetched.message().starts_with("TLS handshake with localhost:"));
    CHECK(fetched.error->hint().find("TLS 1.2") != std::string::npos);
}

TEST_CASE("a CA file that is none is refused at once") {
    wharf::asio::io_context context;
    const TemporaryFile empty{""};
    for (const auto& path : {std::string{"/nonexistent/ca.pem"}, empty.path()}) {
        auto options = quick_options();
        options.ca_file = path;
        std::optional<Error> error;
        try {
            const HttpClient client{context.get_executor(), options};
        } catch (const Error& caught) {
            error = caught;
        }
        REQUIRE(error.has_value());
        CHECK(error->kind() == ErrorKind::invalid_request);
        CHECK(error->message().find(path) != std::string::npos);
    }
}

TEST_CASE("a peer that never finishes the handshake runs into its deadline") {
    TestServer mute{[](Peer& peer, int) { peer.wait_for_close(); }};
    auto options = quick_options();
    options.tls_timeout = 10ms;
    auto fetched = fetch_once(options, get(fmt::format("https://127.0.0.1:{}/", mute.port())));
    CHECK(fetched.message() ==
          fmt::format("TLS handshake with 127.0.0.1:{} timed out after 10 ms", mute.port()));

    TestServer plain{[](Peer& peer, int) {
        peer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
        peer.wait_for_close();
    }};
    fetched = fetch_once(quick_options(), get(fmt::format("https://127.0.0.1:{}/", plain.port())));
    CHECK(fetched.message().find("wrong version number") != std::string::npos);

    TestServer closes{[](Peer& peer, int) { peer.cut(); }};
    fetched = fetch_once(quick_options(), get(fmt::format("https://127.0.0.1:{}/", closes.port())));
    CHECK(fetched.message().starts_with("TLS handshake with"));
    CHECK(fetched.error->kind() == ErrorKind::network);
}

TEST_CASE("only a proper TLS close ends a body that has no length") {
    const Trusting trusting;
    for (const bool proper : {true, false}) {
        for (const bool sized : {true, false}) {
            CAPTURE(proper);
            CAPTURE(sized);
            TestServer server{[&](Peer& peer, int) {
                                  peer.read_request();
                                  peer.write(sized ? answer("hello")
                                                   : "HTTP/1.1 200 OK\r\n\r\nhello");
                                  proper ? peer.close() : peer.cut();
                              },
                              server_tls()};
            const auto fetched = fetch_once(trusting.options, get(server.url()));
            CHECK(fetched.error.has_value() == (!proper && !sized));
            if (fetched.error) {
                CHECK(fetched.message() ==
                      fmt::format("reading from localhost:{}: cut off without a TLS close",
                                  server.port()));
            } else {
                CHECK(fetched.body == "hello");
            }
        }
    }
}

TEST_CASE("a body cut short is an error with TLS, however it is cut") {
    const Trusting trusting;
    for (const int how : {0, 1, 2}) {
        CAPTURE(how);
        TestServer server{[&](Peer& peer, int) {
                              peer.read_request();
                              peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
                              how == 0 ? peer.close() : how == 1 ? peer.cut() : peer.reset();
                          },
                          server_tls()};
        const auto fetched = fetch_once(trusting.options, get(server.url()));
        REQUIRE(fetched.error.has_value());
        CHECK(fetched.error->kind() == ErrorKind::network);
        CHECK(fetched.body.empty());
    }
}

TEST_CASE("a kept TLS connection that dies is replaced, whether or not it said good-bye") {
    const Trusting trusting;
    for (const int how : {0, 1, 2}) {
        CAPTURE(how);
        TestServer server{[&](Peer& peer, int connection) {
                              peer.read_request();
                              peer.write(answer("ok"));
                              peer.read_request();
                              if (connection > 1) {
                                  peer.write(answer("second"));
                                  peer.wait_for_close();
                                  return;
                              }
                              how == 0 ? peer.close() : how == 1 ? peer.cut() : peer.reset();
                          },
                          server_tls()};
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), trusting.options};
        const auto body = [&]() -> Awaitable<> {
            for (const char* expected : {"ok", "ok", "second"}) {
                Fetched fetched;
                co_await fetch(client, get(server.url()), fetched);
                CHECK(fetched.message() == "no error");
                CHECK(fetched.body == expected);
            }
            CHECK(server.connections() == 2);
        };
        wharf::test::run(body(), context);
    }
}

TEST_CASE("a kept TLS connection on which the peer closed or spoke is noticed before it is used") {
    const Trusting trusting;
    for (const int how : {0, 1, 2}) {
        CAPTURE(how);
        std::promise<void> go;
        std::promise<void> gone;
        TestServer server{[&](Peer& peer, int connection) {
                              peer.read_request();
                              peer.write(answer("ok"));
                              if (connection == 1) {
                                  go.get_future().wait();
                                  how == 0   ? peer.close()
                                  : how == 1 ? peer.cut()
                                             : peer.write("HTTP/1.1 408 Too Late\r\n\r\n");
                                  gone.set_value();
                              }
                              peer.wait_for_close();
                          },
                          server_tls()};
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), trusting.options};
        const auto body = [&]() -> Awaitable<> {
            Fetched first;
            co_await fetch(client, get(server.url()), first);
            go.set_value();
            gone.get_future().wait();
            Fetched second;
            co_await fetch(client, wharf::test::post(server.url(), "x"), second);
            CHECK(second.message() == "no error");
            CHECK(second.body == "ok");
            CHECK(server.connections() == 2);
        };
        wharf::test::run(body(), context);
    }
}

TEST_CASE("a new connection takes up the last session with the same name and port, and no other") {
    const Trusting trusting;
    for (const int version : {0, TLS1_2_VERSION}) {
        CAPTURE(version);
        const auto tell = [](Peer& peer, int) {
            peer.read_request();
            peer.write(answer(peer.is_resumed() ? "resumed" : "new"));
        };
        auto tls = server_tls();
        tls.max_version = version;
        TestServer server{tell, tls};
        TestServer other{tell, tls};
        auto options = trusting.options;
        options.max_idle_per_host = 0;
        wharf::asio::io_context context;
        HttpClient client{context.get_executor(), options};
        std::vector<std::string> answers;
        const auto body = [&]() -> Awaitable<> {
            const auto by_address = fmt::format("https://127.0.0.1:{}/", server.port());
            for (const auto& url :
                 {server.url(), server.url(), server.url(), other.url(), by_address}) {
                Fetched fetched;
                co_await fetch(client, get(url), fetched);
                answers.push_back(fetched.error ? fetched.message() : fetched.body);
            }
        };
        wharf::test::run(body(), context);
        CHECK(answers == std::vector<std::string>{"new", "resumed", "resumed", "new", "new"});
    }
}

TEST_CASE("large bodies go both ways through TLS, and reads are larger than one record") {
    const Trusting trusting;
    std::string large(8 << 20, 'x');
    for (std::size_t i = 0; i < large.size(); i += 997) {
        large[i] = static_cast<char>('a' + i % 26);
    }
    std::string received;
    TestServer server{[&](Peer& peer, int) {
                          received = peer.read_request();
                          peer.write(answer(large));
                          peer.wait_for_close();
                      },
                      server_tls()};
    wharf::asio::io_context context;
    HttpClient client{context.get_executor(), trusting.options};
    const auto body = [&]() -> Awaitable<> {
        auto request = get(server.url());
        request.method = "PUT";
        request.body = large;
        auto response = co_await client.send(std::move(request));
        std::string got;
        std::vector<std::byte> buffer(256 << 10);
        std::size_t largest = 0;
        for (;;) {
            const std::size_t count = co_await response.read_some(buffer);
            if (count == 0) {
                break;
            }
            largest = std::max(largest, count);
            got.append(std::string_view{reinterpret_cast<const char*>(buffer.data()), count});
            // Lets several records gather, as they do when the disk is slower than the network.
            co_await wharf::asio::post(co_await wharf::asio::this_coro::executor,
                                       wharf::asio::use_awaitable);
        }
        CHECK(got == large);
        CHECK(largest > (32 << 10));
    };
    wharf::test::run(body(), context);
    CHECK(received.substr(received.find("\r\n\r\n") + 4) == large);
}
