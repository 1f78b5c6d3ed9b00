// Addresses: what a Location or Link field means seen from where we are, proxies, IP addresses.
// The input's first line is the base, its second the reference. Promises: an address that is
// understood is the same when written and read again, so whom we connect to is whom we checked; a
// reference without a host stays where it is; logs get no query.

#include "daemon/net/ip_text.hpp"
#include "daemon/net/proxy.hpp"
#include "daemon/net/url.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

namespace wharf::fuzz {

namespace {

void check_url(const net::Url& url) {
    const std::string text = url.to_string();
    const auto again = net::Url::parse(text);
    require(again && again->same_origin(url) && again->target == url.target,
            "an address is the same when written and read again");
    require(url.scheme == "http" || url.scheme == "https", "only HTTP");
    require(url.port != 0 && !url.host.empty(), "an address has a host and a port");
    require(url.host.find_first_of("/@?# \\") == std::string::npos, "a host is only a host");
    require(url.target.starts_with('/'), "a target is a path");
    require(std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; }),
            "an address cannot break a header");
    require(url.to_log().find('?') == std::string::npos, "logs get no query");
}

void check_reference(const net::Url& base, std::string_view reference) {
    const auto url = base.resolve(reference);
    if (!url) {
        return;
    }
    check_url(*url);
    const bool names_host =
        reference.starts_with("//") || reference.find(':') < reference.find('/');
    require(names_host || url->same_origin(base), "a reference without a host stays where it is");
}

void check_proxy(std::string_view text, std::string_view direct, const net::Url& url) {
    const auto nothing = [](const char*) { return std::optional<std::string>{}; };
    const auto rules = net::ProxyRules::make(text, direct, nothing);
    if (const net::Proxy* proxy = rules ? rules->choose(url) : nullptr) {
        require(proxy->name().find('@') == std::string::npos, "a proxy's name has no password");
        require(proxy->authorization.find_first_of("\r\n") == std::string::npos,
                "a password cannot break a header");
    }
    const auto secret = net::Proxy::parse("http://user:S3CRET" + std::string{text});
    require((secret ? secret->name() : secret.error().message()).find("S3CRET") ==
                std::string::npos,
            "nothing that is shown repeats a password");
}

} // namespace

void run(std::string_view input) {
    const MemoryLimit limit{(16 << 10) + 64 * input.size()};
    static const net::Url hub = net::Url::parse("https://hub.example/api/models/a/b?x=1").value();
    const std::string_view first = take_until(input, '\n');
    const std::string_view second = take_until(input, '\n');
    const auto base = net::Url::parse(first);
    if (base) {
        check_url(*base);
        check_reference(*base, second);
    }
    check_reference(hub, first);
    check_proxy(first, second, base ? *base : hub);
    if (const auto address = net::parse_ip(first)) {
        const auto again = net::parse_ip(net::to_string(*address));
        require(again && again->bytes == address->bytes, "an IP address is the same");
    }
}

} // namespace wharf::fuzz
