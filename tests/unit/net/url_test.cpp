#include "daemon/net/url.hpp"

#include <doctest/doctest.h>

#include <string>

using wharf::ErrorKind;
using wharf::net::percent_encode;
using wharf::net::Url;

namespace {

Url url(std::string_view text) {
    return Url::parse(text).value();
}

} // namespace

TEST_CASE("URLs are taken apart") {
    struct Row {
        const char* text;
        const char* scheme;
        const char* host;
        int port;
        const char* target;
    };
    const Row rows[] = {
        {"https://huggingface.co/a/b?x=1", "https", "huggingface.co", 443, "/a/b?x=1"},
        {"http://h", "http", "h", 80, "/"},
        {"http://h?q=/", "http", "h", 80, "/?q=/"},
        {"http://h#frag", "http", "h", 80, "/"},
        {"http://h/p?q#f?g", "http", "h", 80, "/p?q"},
        {"HTTPS://Hub.Example.:8443/A%2fB", "https", "hub.example.", 8443, "/A%2fB"},
        {"http://h:/x", "http", "h", 80, "/x"},
        {"http://h:0080/", "http", "h", 80, "/"},
        {"http://127.0.0.1:8080/", "http", "127.0.0.1", 8080, "/"},
        {"https://[::1]/x", "https", "::1", 443, "/x"},
        {"https://[2001:DB8:0::1]:444/x", "https", "2001:db8::1", 444, "/x"},
        {"http://h//a/../b", "http", "h", 80, "//a/../b"},
        {"http://h/@b:c", "http", "h", 80, "/@b:c"},
        {"http://a_b-c.d", "http", "a_b-c.d", 80, "/"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        const auto parsed = Url::parse(row.text);
        REQUIRE(parsed.has_value());
        CHECK(parsed->scheme == row.scheme);
        CHECK(parsed->host == row.host);
        CHECK(parsed->port == row.port);
        CHECK(parsed->target == row.target);
    }
}

TEST_CASE("what is no absolute HTTP URL is refused, and the error does not repeat it") {
    const std::string rows[] = {
        "",
        "huggingface.co/a",
        "/a/b",
        "//host/a",
        "ftp://host/",
        "file:///etc/passwd",
        "https:/host/",
        "https:host",
        "http://",
        "http:///path",
        "http://user@host/",
        "http://user:secret@host/",
        "http://good.example\\@evil.example/",
        "http://good.example\\.evil.example/",
        "http://@host/",
        "http://host:0/",
        "http://host:65536/",
        "http://host:-1/",
        "http://host:80x/",
        "http://host:99999999999999999999/",
        "http://h:1:2/",
        "http://[::1/",
        "http://[::1]x/",
        "http://[127.0.0.1]/",
        "http://[fe80::1%25eth0]/",
        "http://[]/",
        "http://::1/",
        "http://ho st/",
        "http://host/a b",
        "http://host/a\tb",
        "http://host/a\r\nX: y",
        std::string{"http://host/a\0b", 15},
        "http://host/\x7f",
        "http://h\xc3\xb6st/",
        "http://host/\xc3\xb6",
        "http://.host/",
        "http://a..b/",
        "http://%68ost/",
        "http://host/" + std::string(16 << 10, 'a'),
        "http://" + std::string(254, 'a') + "/",
    };
    for (const auto& text : rows) {
        CAPTURE(text);
        const auto parsed = Url::parse(text);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().kind() == ErrorKind::invalid_request);
        CHECK(parsed.error().message().find("secret") == std::string::npos);
    }
    CHECK(Url::parse("http://user:secret@host/").error().message().ends_with("user information"));
    CHECK(Url::parse("http://host/" + std::string((16 << 10) - 12, 'a')).has_value());
}

TEST_CASE("references resolve as RFC 3986, section 5.4 has it") {
    const auto base = url("http://a/b/c/d;p?q");
    struct Row {
        const char* reference;
        const char* result;
    };
    const Row rows[] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {"g?y#s", "http://a/b/c/g?y"},
        {";x", "http://a/b/c/;x"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {"..g", "http://a/b/c/..g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"a:b/../c", nullptr}, // a scheme we do not speak
        {"http:g", nullptr},
        {"./a:b", "http://a/b/c/a:b"},
        {"/api/resolve-cache/x?e=%22", "http://a/api/resolve-cache/x?e=%22"},
        {"https://CDN.example:444/p?Signature=s", "https://cdn.example:444/p?Signature=s"},
        {"//user@evil/", nullptr},
        {"javascript:alert(1)", nullptr},
        {"/a\r\nSet-Cookie: x", nullptr},
        {"/a b", nullptr},
        {"/\xc3\xb6", nullptr},
    };
    for (const auto& row : rows) {
        CAPTURE(row.reference);
        const auto resolved = base.resolve(row.reference);
        REQUIRE(resolved.has_value() == (row.result != nullptr));
        if (resolved) {
            CHECK(resolved->to_string() == row.result);
        }
    }
    CHECK(url("https://h").resolve("//x/y")->scheme == "https");
    CHECK(url("https://h?q").resolve("z")->to_string() == "https://h/z");
    const auto long_base = url("http://h/" + std::string(16'000, 'a') + "/");
    CHECK_FALSE(long_base.resolve(std::string(500, 'b')).has_value());
}

TEST_CASE("a URL is written back with what matters, and logged without its query") {
    CHECK(url("https://h:443/p?s=1").to_string() == "https://h/p?s=1");
    CHECK(url("http://h:443/p").to_string() == "http://h:443/p");
    CHECK(url("https://[2001:db8::1]:444/").authority() == "[2001:db8::1]:444");
    CHECK(url("https://[2001:db8::1]/").authority() == "[2001:db8::1]");
    CHECK(url("https://h/p?X-Amz-Signature=s3cret").to_log() == "https://h/p");
    CHECK(url("https://h/?s").to_log() == "https://h/");
}

TEST_CASE("an origin is scheme, host and port") {
    const auto base = url("https://hub.example/a");
    CHECK(base.same_origin(url("https://HUB.example:443/b?c")));
    CHECK_FALSE(base.same_origin(url("http://hub.example:443/")));
    CHECK_FALSE(base.same_origin(url("https://hub.example:444/")));
    CHECK_FALSE(base.same_origin(url("https://hub.example.evil/")));
    CHECK_FALSE(base.same_origin(url("https://cdn.hub.example/")));
}

TEST_CASE("only unreserved characters stay as they are") {
    CHECK(percent_encode("aZ09-._~", false) == "aZ09-._~");
    CHECK(percent_encode("a/b c", false) == "a%2Fb%20c");
    CHECK(percent_encode("a/b c", true) == "a/b%20c");
    CHECK(percent_encode("\xc3\xb6#?%", true) == "%C3%B6%23%3F%25");
    CHECK(percent_encode("a\r\n", true) == "a%0D%0A");
}
