#include "daemon/net/ip_text.hpp"
#include "daemon/net/proxy.hpp"

#include <doctest/doctest.h>

#include <map>

using wharf::ErrorKind;
using wharf::net::parse_ip;
using wharf::net::Proxy;
using wharf::net::ProxyRules;
using wharf::net::Url;

namespace {

using Variables = std::map<std::string, std::string>;

wharf::Result<ProxyRules> rules(std::string_view proxy, std::string_view no_proxy,
                                const Variables& variables) {
    return ProxyRules::make(proxy, no_proxy, [&](const char* name) -> std::optional<std::string> {
        const auto found = variables.find(name);
        return found == variables.end() ? std::nullopt : std::optional{found->second};
    });
}

std::string chosen(const ProxyRules& made, std::string_view url) {
    const Proxy* proxy = made.choose(Url::parse(url).value());
    return proxy == nullptr ? "direct" : proxy->name();
}

} // namespace

TEST_CASE("proxies are read, and their passwords are kept apart") {
    const auto plain = Proxy::parse("http://p.example:3128").value();
    CHECK(plain.name() == "p.example:3128");
    CHECK(plain.authorization.empty());
    const auto full = Proxy::parse("HTTP://user:p%40ss@[::1]:3128/").value();
    CHECK(full.name() == "[::1]:3128");
    CHECK(full.authorization == "Basic dXNlcjpwQHNz"); // user:p@ss
    CHECK(Proxy::parse("p.example:3128").value().port == 3128);
    CHECK(Proxy::parse("p.example").value().port == 80);
    CHECK(Proxy::parse("http://user@p").value().authorization == "Basic dXNlcjo=");
    CHECK(Proxy::parse("http://a:b@c@p:1").value().name() == "p:1"); // the last @ counts
    for (const char* bad : {"socks5://p:1080", "https://s3cret:x@p", "http://", "http://p:x",
                            "http://s3cret:%zz@p", "http://s3cret:%4@p", "http://s3cret%3a:x@p",
                            "http://p/path", "http://s3cret:x@p\r\n", "http://p?q"}) {
        CAPTURE(bad);
        const auto parsed = Proxy::parse(bad);
        REQUIRE_FALSE(parsed.has_value());
        CHECK(parsed.error().kind() == ErrorKind::invalid_request);
        CHECK(parsed.error().message().find("s3cret") == std::string::npos);
        CHECK_FALSE(parsed.error().hint().empty());
    }
}

TEST_CASE("the environment decides where nothing is configured") {
    const auto by_scheme =
        rules("", "", {{"HTTPS_PROXY", "http://s:1"}, {"HTTP_PROXY", "http://h:2"}}).value();
    CHECK(chosen(by_scheme, "https://x/") == "s:1");
    CHECK(chosen(by_scheme, "http://x/") == "h:2");

    const auto all = rules("", "", {{"ALL_PROXY", "http://a:3"}, {"http_proxy", "h:2"}}).value();
    CHECK(chosen(all, "https://x/") == "a:3");
    CHECK(chosen(all, "http://x/") == "h:2");

    const auto lower =
        rules("", "", {{"https_proxy", "http://l:1"}, {"HTTPS_PROXY", "http://u:1"}}).value();
    CHECK(chosen(lower, "https://x/") == "l:1");
    const auto switched_off =
        rules("", "", {{"https_proxy", ""}, {"HTTPS_PROXY", "http://u:1"}}).value();
    CHECK(chosen(switched_off, "https://x/") == "direct");

    const auto none = rules("", "", {}).value();
    CHECK(chosen(none, "https://x/") == "direct");

    const auto configured = rules("http://c:9", "", {{"HTTPS_PROXY", "http://s:1"}}).value();
    CHECK(chosen(configured, "https://x/") == "c:9");
    CHECK(chosen(configured, "http://x/") == "c:9");

    CHECK_FALSE(rules("", "", {{"ALL_PROXY", "socks5://a:1"}}).has_value());
    CHECK(rules("", "", {{"ALL_PROXY", "socks5://a:1"}, {"http_proxy", "a"}, {"https_proxy", "a"}})
              .has_value()); // never needed
}

TEST_CASE("no_proxy names what is reached directly") {
    struct Row {
        const char* no_proxy;
        const char* url;
        bool direct;
    };
    const Row rows[] = {
        {"example.com", "https://example.com/", true},
        {"example.com", "https://cdn.example.com/", true},
        {"example.com", "https://notexample.com/", false},
        {"example.com", "https://example.com.evil/", false},
        {".example.com", "https://cdn.example.com/", true},
        {".example.com", "https://example.com/", true},
        {"*.example.com", "https://cdn.example.com/", true},
        {"EXAMPLE.com", "https://cdn.Example.COM/", true},
        {"example.com:8443", "https://example.com:8443/", true},
        {"example.com:8443", "https://example.com/", false},
        {"a, b ,example.com", "https://example.com/", true},
        {"a b\texample.com", "https://example.com/", true},
        {"*", "https://anything/", true},
        {"", "https://anything/", false},
        {",,", "https://anything/", false},
        {".", "https://anything/", false},
        {"127.0.0.1", "http://127.0.0.1:8000/", true},
        {"127.0.0.1:80", "http://127.0.0.1:8000/", false},
        {"127.0.0.2", "http://127.0.0.1/", false},
        {"0.0.1", "http://127.0.0.1/", false},
        {"10.0.0.0/8", "http://10.2.3.4/", true},
        {"10.0.0.0/8", "http://11.2.3.4/", false},
        {"10.0.0.0/9", "http://10.128.0.1/", false},
        {"10.0.0.0/x", "http://10.0.0.0/", false},
        {"10.0.0.0/33", "http://10.0.0.0/", false},
        {"0.0.0.0/0", "http://10.0.0.1/", true},
        {"0.0.0.0/0", "http://[::1]/", false},
        {"::1", "http://[::1]/", true},
        {"[::1]", "http://[::1]/", true},
        {"[::1]:80", "http://[::1]/", true},
        {"[::1]:81", "http://[::1]/", false},
        {"2001:db8::/32", "http://[2001:db8:1::1]/", true},
        {"2001:db8::/32", "http://[2001:db9::1]/", false},
        {"localhost", "http://127.0.0.1/", false}, // names are not looked up
    };
    for (const auto& row : rows) {
        CAPTURE(row.no_proxy);
        CAPTURE(row.url);
        const auto configured = rules("http://p:1", row.no_proxy, {}).value();
        CHECK((chosen(configured, row.url) == "direct") == row.direct);
        const auto by_environment = rules("http://p:1", "", {{"NO_PROXY", row.no_proxy}}).value();
        CHECK((chosen(by_environment, row.url) == "direct") == row.direct);
    }
}

TEST_CASE("addresses are told from names") {
    CHECK(parse_ip("127.0.0.1")->size == 4);
    CHECK(parse_ip("::ffff:1.2.3.4")->size == 16);
    CHECK(to_string(*parse_ip("2001:DB8:0:0::1")) == "2001:db8::1");
    for (const char* name : {"", "127.1", "0x7f.0.0.1", "1.2.3.4.", "[::1]", "fe80::1%eth0", "a"}) {
        CAPTURE(name);
        CHECK_FALSE(parse_ip(name).has_value());
    }
    CHECK_FALSE(parse_ip(std::string_view{"::1\0x", 5}).has_value());
    CHECK_FALSE(parse_ip(std::string(100, '1')).has_value());
}
