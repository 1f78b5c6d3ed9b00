#include "daemon/net/http_client.hpp"
#include "daemon/net/request_text.hpp"

#include <doctest/doctest.h>

using wharf::ErrorKind;
using wharf::net::format_request;
using wharf::net::Headers;
using wharf::net::HttpRequest;
using wharf::net::RequestStyle;
using wharf::net::Url;

namespace {

HttpRequest request(std::string_view url) {
    HttpRequest result;
    result.url = Url::parse(url).value();
    return result;
}

RequestStyle style() {
    RequestStyle result;
    result.user_agent = "wharf/1";
    return result;
}

} // namespace

TEST_CASE("a request is worded exactly") {
    auto get = request("https://h:8443/a?b");
    get.headers.add("Range", "bytes=0-9");
    CHECK(format_request(get, style()).value() == "GET /a?b HTTP/1.1\r\n"
                                                  "Host: h:8443\r\n"
                                                  "User-Agent: wharf/1\r\n"
                                                  "Accept-Encoding: identity\r\n"
                                                  "Range: bytes=0-9\r\n"
                                                  "\r\n");
}

TEST_CASE("a body has its length, and methods that usually have one say that it is empty") {
    auto post = request("http://h/");
    post.method = "POST";
    CHECK(format_request(post, style())->find("Content-Length: 0\r\n") != std::string::npos);
    post.body = "12345";
    CHECK(format_request(post, style())->find("Content-Length: 5\r\n") != std::string::npos);
    post.method = "DELETE";
    post.body.clear();
    CHECK(format_request(post, style())->find("Content-Length") == std::string::npos);
    post.stream = wharf::net::make_body("1234567");
    CHECK(format_request(post, style())->find("Content-Length: 7\r\n") != std::string::npos);
    post.body = "12345"; // which of them?
    CHECK(format_request(post, style()).error().kind() == ErrorKind::invalid_request);
}

TEST_CASE("the caller's user agent and codings replace ours") {
    auto get = request("http://h/");
    get.headers.add("user-agent", "other");
    get.headers.add("accept-encoding", "gzip");
    CHECK(format_request(get, style()).value() ==
          "GET / HTTP/1.1\r\nHost: h\r\nuser-agent: other\r\naccept-encoding: gzip\r\n\r\n");
}

TEST_CASE("a proxy of plain HTTP gets the whole URL and its credentials") {
    auto with_proxy = style();
    with_proxy.absolute_target = true;
    with_proxy.proxy_authorization = "Basic eA==";
    const auto text = format_request(request("http://h:81/a?b"), with_proxy).value();
    CHECK(text.starts_with("GET http://h:81/a?b HTTP/1.1\r\nHost: h:81\r\n"));
    CHECK(text.find("\r\nProxy-Authorization: Basic eA==\r\n") != std::string::npos);
}

TEST_CASE("nothing can be smuggled into a request") {
    const auto refused = [](const HttpRequest& bad) {
        const auto text = format_request(bad, style());
        REQUIRE_FALSE(text.has_value());
        CHECK(text.error().kind() == ErrorKind::invalid_request);
        CHECK(text.error().message().find("s3cret") == std::string::npos);
    };
    for (const std::string value : {"a\r\nX: s3cret", "a\nb", "a\rb", "\x7f", "a\x01"}) {
        auto bad = request("http://h/");
        bad.headers.add("X", value);
        refused(bad);
    }
    auto bad = request("http://h/");
    bad.headers.add("X", std::string{"a\0b", 3});
    refused(bad);
    for (const char* name : {"", "A B", "A:", "A\r\n", "\xc3\xb6"}) {
        bad = request("http://h/");
        bad.headers.add(name, "v");
        refused(bad);
    }
    for (const char* name : {"Host", "host", "CONNECTION", "content-length", "Transfer-Encoding",
                             "Expect", "Upgrade", "TE", "Trailer", "Proxy-Authorization"}) {
        bad = request("http://h/");
        bad.headers.add(name, "v");
        refused(bad);
    }
    for (const char* method : {"", "GET ", "GET /x HTTP/1.1\r\nX:", "G\xc3\xab", "CONNECT"}) {
        bad = request("http://h/");
        bad.method = method;
        refused(bad);
    }
    for (const char* target : {"", "x", "/a b", "/a\r\nb", "/\x7f"}) {
        bad = request("http://h/");
        bad.url.target = target;
        refused(bad);
    }
    bad = request("http://h/");
    bad.url.host = "h\r\nX: y";
    refused(bad);
    auto bad_agent = style();
    bad_agent.user_agent = "a\r\nb";
    CHECK_FALSE(format_request(request("http://h/"), bad_agent).has_value());
    auto good = request("http://h/");
    good.headers.add("X", "tab\tand \xc3\xb6 are fine");
    CHECK(format_request(good, style()).has_value());
}

TEST_CASE("header fields are found without regard to case") {
    Headers headers;
    headers.add("ETag", "1");
    headers.add("X", "a");
    headers.add("x", "b");
    CHECK(headers.find("etag") == "1");
    CHECK(headers.find("X") == "a");
    CHECK(headers.all("X").size() == 2);
    CHECK(headers.all("X")[1] == "b");
    CHECK_FALSE(headers.find("eta").has_value());
    CHECK(headers.all("y").empty());
}
