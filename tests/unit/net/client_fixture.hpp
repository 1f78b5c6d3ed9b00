#pragma once

#include "daemon/net/http_client.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/unit/net/test_server.hpp"

#include <fmt/format.h>

#include <optional>

namespace wharf::test {

/// Options that no environment changes and no test waits long for.
inline net::HttpOptions quick_options() {
    net::HttpOptions options;
    options.no_proxy = "*";
    options.connect_timeout = std::chrono::seconds{4};
    options.tls_timeout = std::chrono::seconds{4};
    options.first_byte_timeout = std::chrono::seconds{4};
    options.stall_timeout = std::chrono::seconds{4};
    return options;
}

inline net::HttpRequest get(const std::string& url) {
    net::HttpRequest request;
    request.url = net::Url::parse(url).value();
    return request;
}

inline net::HttpRequest post(const std::string& url, std::string body) {
    auto request = get(url);
    request.method = "POST";
    request.body = std::move(body);
    return request;
}

/// Answers every request of a connection with the connection's number and the request's first line.
inline void answer_all(Peer& peer, int connection) {
    for (;;) {
        const auto request = peer.read_request();
        if (request.empty()) {
            return;
        }
        peer.write(
            answer(fmt::format("{}: {}", connection, request.substr(0, request.find("\r\n")))));
    }
}

/// What one request came to.
struct Fetched {
    unsigned status = 0;
    std::string body;
    std::optional<Error> error;
    std::string message() const { return error ? error->message() : "no error"; }
};

/// Sends, reads all and gives the connection back.
inline Awaitable<> fetch(net::HttpClient& client, net::HttpRequest request, Fetched& fetched) {
    try {
        auto response = co_await client.send(std::move(request));
        fetched.status = response.status();
        fetched.body = co_await response.read_all(1 << 20);
    } catch (const Error& error) {
        fetched.error = error;
    }
}

/// One request with a client of its own.
inline Fetched fetch_once(const net::HttpOptions& options, const net::HttpRequest& request) {
    asio::io_context context;
    net::HttpClient client{context.get_executor(), options};
    Fetched fetched;
    run(fetch(client, request, fetched), context);
    return fetched;
}

} // namespace wharf::test
