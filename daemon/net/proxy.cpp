#include "daemon/net/proxy.hpp"

#include "base/base64.hpp"
#include "daemon/net/ip_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace wharf::net {

namespace {

Error unusable(std::string_view why) {
    return Error{ErrorKind::invalid_request, fmt::format("not a usable proxy: {}", why),
                 "proxies are given as http://[user:password@]host:port, in [hub] proxy or in "
                 "HTTPS_PROXY and its like"};
}

std::optional<std::string> percent_decode(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            result += text[i];
            continue;
        }
        const auto digits = text.substr(i + 1, 2);
        unsigned value = 0;
        const auto [end, ec] =
            std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
        if (ec != std::errc{} || end != digits.data() + 2) {
            return std::nullopt;
        }
        result += static_cast<char>(value);
        i += 2;
    }
    return result;
}

/// RFC 7617; the URL's percent encoding is undone first.
Result<std::string> basic_authorization(std::string_view user_info) {
    const auto colon = user_info.find(':');
    const auto user = percent_decode(user_info.substr(0, colon));
    const auto password =
        percent_decode(colon == user_info.npos ? std::string_view{} : user_info.substr(colon + 1));
    if (!user || !password || user->find(':') != user->npos) {
        return unusable("its user or password is not properly percent-encoded");
    }
    return fmt::format("Basic {}", base64(fmt::format("{}:{}", *user, *password)));
}

std::string lower(std::string_view text) {
    std::string result{text};
    std::transform(result.begin(), result.end(), result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

std::vector<std::string> split_list(std::string_view text) {
    std::vector<std::string> entries;
    while (!text.empty()) {
        const auto entry = text.substr(0, text.find_first_of(", \t"));
        if (!entry.empty()) {
            entries.push_back(lower(entry));
        }
        text.remove_prefix(std::min(entry.size() + 1, text.size()));
    }
    return entries;
}

/// "10.0.0.0/8" or "2001:db8::/32".
bool is_in_network(std::string_view entry, const IpBytes& address) noexcept {
    const auto slash = entry.find('/');
    const auto network = parse_ip(entry.substr(0, slash));
    if (!network) {
        return false;
    }
    unsigned bits = network->size * 8;
    if (slash != entry.npos) {
        const auto digits = entry.substr(slash + 1);
        const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (ec != std::errc{} || end != digits.data() + digits.size()) {
            return false;
        }
    }
    return address.is_within(*network, bits);
}

/// "example.com", ".example.com" and "*.example.com" all mean the name and all below it: where
/// curl and Python differ, the wider reading.
bool is_in_domain(std::string_view entry, std::string_view host) noexcept {
    if (entry.starts_with("*.")) {
        entry.remove_prefix(1);
    }
    if (entry.starts_with('.')) {
        entry.remove_prefix(1);
    }
    return !entry.empty() && host.ends_with(entry) &&
           (host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.');
}

/// Takes ":port" off an entry. None when it names another port.
std::optional<std::string_view> without_port(std::string_view entry, std::uint16_t port) noexcept {
    const bool bracketed = entry.starts_with('[');
    const auto colon = bracketed ? entry.find("]:") : entry.find(':');
    const bool is_v6 =
        !bracketed && colon != entry.npos && entry.find(':', colon + 1) != entry.npos;
    if (colon != entry.npos && !is_v6) {
        const auto digits = entry.substr(colon + (bracketed ? 2 : 1));
        unsigned number = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (number != port) {
            return std::nullopt;
        }
        entry = entry.substr(0, colon + (bracketed ? 1 : 0));
    }
    if (bracketed && entry.ends_with(']')) {
        entry = entry.substr(1, entry.size() - 2);
    }
    return entry;
}

std::optional<std::string> lower_first(const ProxyRules::Environment& environment,
                                       const char* lower_name, const char* upper_name) {
    auto value = environment(lower_name);
    return value ? value : environment(upper_name);
}

} // namespace

std::string Proxy::name() const {
    return host.find(':') == host.npos ? fmt::format("{}:{}", host, port)
                                       : fmt::format("[{}]:{}", host, port);
}

Result<Proxy> Proxy::parse(std::string_view text) {
    const auto scheme_end = text.find("://");
    const auto scheme =
        scheme_end == text.npos ? std::string{"http"} : lower(text.substr(0, scheme_end));
    if (scheme != "http") {
        return unusable("only plain HTTP proxies are supported");
    }
    if (scheme_end != text.npos) {
        text.remove_prefix(scheme_end + 3);
    }
    Proxy proxy;
    const auto at = text.rfind('@');
    if (at != text.npos) {
        auto authorization = basic_authorization(text.substr(0, at));
        if (!authorization) {
            return authorization.error();
        }
        proxy.authorization = *authorization;
        text.remove_prefix(at + 1);
    }
    const auto url = Url::parse(fmt::format("http://{}", text));
    if (!url || url->target != "/") {
        return unusable("its host or port does not make sense");
    }
    proxy.host = url->host;
    proxy.port = url->port;
    return proxy;
}

Result<ProxyRules> ProxyRules::make(std::string_view proxy, std::string_view no_proxy,
                                    const Environment& environment) {
    std::optional<std::string> for_http{proxy};
    std::optional<std::string> for_https{proxy};
    if (proxy.empty()) {
        const auto for_all = lower_first(environment, "all_proxy", "ALL_PROXY");
        for_http = lower_first(environment, "http_proxy", "HTTP_PROXY");
        for_https = lower_first(environment, "https_proxy", "HTTPS_PROXY");
        for_http = for_http ? for_http : for_all;
        for_https = for_https ? for_https : for_all;
    }
    ProxyRules rules;
    for (auto [text, chosen] :
         {std::pair{&for_http, &rules.for_http_}, std::pair{&for_https, &rules.for_https_}}) {
        if (*text && !(*text)->empty()) {
            auto parsed = Proxy::parse(**text);
            if (!parsed) {
                return parsed.error();
            }
            *chosen = *parsed;
        }
    }
    rules.direct_ =
        split_list(no_proxy.empty() ? lower_first(environment, "no_proxy", "NO_PROXY").value_or("")
                                    : no_proxy);
    return rules;
}

const Proxy* ProxyRules::choose(const Url& url) const noexcept {
    const auto& proxy = url.is_tls() ? for_https_ : for_http_;
    return proxy && !is_direct(url) ? &*proxy : nullptr;
}

bool ProxyRules::is_direct(const Url& url) const noexcept {
    const auto address = parse_ip(url.host);
    return std::any_of(direct_.begin(), direct_.end(), [&](const std::string& text) {
        const auto entry = without_port(text, url.port);
        if (!entry) {
            return false;
        }
        return *entry == "*" ||
               (address ? is_in_network(*entry, *address) : is_in_domain(*entry, url.host));
    });
}

std::optional<std::string> process_environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>{value};
}

} // namespace wharf::net
