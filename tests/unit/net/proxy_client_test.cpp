#include "tests/unit/net/client_fixture.hpp"

#include <fmt/format.h>

#include <future>

using namespace std::chrono_literals;
using wharf::ErrorKind;
using wharf::net::HttpOptions;
using wharf::test::answer;
using wharf::test::Certificate;
using wharf::test::fetch_once;
using wharf::test::get;
using wharf::test::make_certificate;
using wharf::test::Peer;
using wharf::test::quick_options;
using wharf::test::TemporaryFile;
using wharf::test::TestServer;

namespace {

HttpOptions through(const TestServer& proxy, std::string_view user_info = "") {
    auto options = quick_options();
    options.no_proxy = "direct.example";
    options.proxy = fmt::format("http://{}127.0.0.1:{}", user_info, proxy.port());
    return options;
}

} // namespace

TEST_CASE("HTTPS goes through a proxy's tunnel, verified against the host behind it") {
    const Certificate authority = make_certificate({.is_authority = true}, nullptr);
    const TemporaryFile ca_file{authority.certificate};
    std::promise<std::string> asked;
    std::promise<std::string> inner;
    TestServer* self = nullptr;
    TestServer proxy{[&](Peer& peer, int) {
        asked.set_value(peer.read_request());
        peer.write("HTTP/1.0 200 Connection established\r\nContent-Length: 99\r\n\r\n");
        peer.start_tls(self->tls()); // plays the host too
        inner.set_value(peer.read_request());
        peer.write(answer("behind"));
        peer.wait_for_close();
    }};
    self = &proxy;
    proxy.set_inner_tls(
        {.certificate = make_certificate({.names = "DNS:cdn.example"}, &authority)});
    auto options = through(proxy, "user:p%40ss@");
    options.ca_file = ca_file.path();
    options.user_agent = "wharf-test";
    auto request = get("https://cdn.example/file?s3cret");
    request.headers.add("Authorization", "Bearer t");
    const auto fetched = fetch_once(options, request);
    CHECK(fetched.message() == "no error");
    CHECK(fetched.body == "behind");
    CHECK(asked.get_future().get() == "CONNECT cdn.example:443 HTTP/1.1\r\n"
                                      "Host: cdn.example:443\r\n"
                                      "User-Agent: wharf-test\r\n"
                                      "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n");
    const auto seen = inner.get_future().get();
    CHECK(seen.starts_with("GET /file?s3cret HTTP/1.1\r\nHost: cdn.example\r\n"));
    CHECK(seen.find("Proxy-Authorization") == std::string::npos);
}

TEST_CASE("a host behind a tunnel must prove its name all the same") {
    const Certificate authority = make_certificate({.is_authority = true}, nullptr);
    const TemporaryFile ca_file{authority.certificate};
    TestServer* self = nullptr;
    TestServer proxy{[&](Peer& peer, int) {
        peer.read_request();
        peer.write("HTTP/1.1 200 OK\r\n\r\n");
        peer.start_tls(self->tls());
        peer.wait_for_close();
    }};
    self = &proxy;
    proxy.set_inner_tls({.certificate = make_certificate({.names = "DNS:evil"}, &authority)});
    auto options = through(proxy);
    options.ca_file = ca_file.path();
    const auto fetched = fetch_once(options, get("https://cdn.example/"));
    CHECK(fetched.message().find("hostname mismatch") != std::string::npos);
    CHECK(fetched.message().find("cdn.example:443") != std::string::npos);
}

TEST_CASE("plain HTTP goes to the proxy with the whole URL") {
    std::promise<std::string> asked;
    TestServer proxy{[&](Peer& peer, int) {
        asked.set_value(peer.read_request());
        peer.write(answer("relayed"));
        peer.wait_for_close();
    }};
    const auto fetched = fetch_once(through(proxy, "u:p@"), get("http://hub.example:81/a?b"));
    CHECK(fetched.body == "relayed");
    const auto request = asked.get_future().get();
    CHECK(
        request.starts_with("GET http://hub.example:81/a?b HTTP/1.1\r\nHost: hub.example:81\r\n"));
    CHECK(request.find("Proxy-Authorization: Basic dTpw\r\n") != std::string::npos);
}

TEST_CASE("proxies that fail are named, without their password") {
    struct Row {
        const char* reply;
        ErrorKind kind;
        const char* text;
        bool lasting = false;
    };
    const Row rows[] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
         ErrorKind::network, "wants a user and a password", true},
        {"HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nnope", ErrorKind::network,
         "refused with status 403"},
        {"HTTP/1.1 302 Found\r\nLocation: http://login/\r\n\r\n", ErrorKind::network,
         "refused with status 302"},
        {"HTTP/1.1 200 OK\r\n\r\nearly", ErrorKind::protocol, "ahead of the tunnel"},
        {"SSH-2.0\r\n\r\n", ErrorKind::protocol, "not proper HTTP"},
        {"", ErrorKind::network, "closed the connection without an answer"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.reply);
        TestServer proxy{[&](Peer& peer, int) {
            peer.read_request();
            peer.write(row.reply);
            peer.close();
        }};
        const auto fetched =
            fetch_once(through(proxy, "user:s3cret@"), get("https://cdn.example/?s3cret"));
        REQUIRE(fetched.error.has_value());
        CHECK(fetched.error->is_lasting() == row.lasting);
        CHECK(fetched.error->kind() == row.kind);
        CAPTURE(fetched.message());
        CHECK(fetched.message().find(row.text) != std::string::npos);
        CHECK(fetched.message().find(fmt::format("127.0.0.1:{}", proxy.port())) !=
              std::string::npos);
        CHECK(fetched.message().find("s3cret") == std::string::npos);
        CHECK(fetched.error->hint().find("s3cret") == std::string::npos);
    }
}

TEST_CASE("a proxy that is not there or does not answer is named too") {
    auto options = quick_options();
    options.no_proxy = "direct.example";
    const auto port = wharf::test::unused_port();
    options.proxy = fmt::format("http://user:s3cret@127.0.0.1:{}", port);
    auto fetched = fetch_once(options, get("https://cdn.example/"));
    CHECK(fetched.message() ==
          fmt::format("connecting to proxy 127.0.0.1:{}: connection refused", port));

    TestServer mute{[](Peer& peer, int) { peer.wait_for_close(); }};
    options = through(mute);
    options.connect_timeout = 20ms;
    fetched = fetch_once(options, get("https://cdn.example/"));
    CHECK(fetched.message() == fmt::format("waiting for an answer from cdn.example:443 through "
                                           "proxy 127.0.0.1:{} timed out after 20 ms",
                                           mute.port()));
}

TEST_CASE("hosts of no_proxy are reached directly") {
    TestServer proxy{[](Peer& peer, int) { peer.wait_for_close(); }};
    TestServer server{[](Peer& peer, int) {
        peer.read_request();
        peer.write(answer("direct"));
        peer.wait_for_close();
    }};
    auto options = through(proxy);
    options.no_proxy = "127.0.0.0/8";
    CHECK(fetch_once(options, get(server.url())).body == "direct");
    CHECK(proxy.connections() == 0);
}

TEST_CASE("a proxy that is none is refused at once") {
    wharf::asio::io_context context;
    auto options = quick_options();
    options.proxy = "socks5://user:s3cret@127.0.0.1:1";
    bool refused = false;
    try {
        const wharf::net::HttpClient client{context.get_executor(), options};
    } catch (const wharf::Error& error) {
        refused = error.kind() == ErrorKind::invalid_request &&
                  error.message().find("s3cret") == std::string::npos;
    }
    CHECK(refused);
}
