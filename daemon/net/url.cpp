#include "daemon/net/url.hpp"

#include "daemon/net/ip_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace wharf::net {

namespace {

constexpr std::size_t longest_url = 16 << 10;
constexpr std::size_t longest_host = 253; // RFC 1035, without the root's dot

/// Never repeats the text: it may hold a signed query.
Error unusable(std::string_view why) {
    return Error{ErrorKind::invalid_request, fmt::format("not a usable URL: {}", why)};
}

constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

constexpr bool is_letter(char c) noexcept {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string lower(std::string_view text) {
    std::string result{text};
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        }
    }
    return result;
}

/// The rules for every text that becomes a URL, absolute or not.
std::optional<Error> check_text(std::string_view text) {
    if (text.size() > longest_url) {
        return unusable("longer than 16 KiB");
    }
    const bool printable =
        std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (!printable) {
        return unusable("it holds a space, a control character or a byte that is not ASCII");
    }
    return std::nullopt;
}

bool is_host_name(std::string_view host) noexcept {
    if (host.empty() || host.size() > longest_host || host.front() == '.' ||
        host.find("..") != std::string_view::npos) {
        return false;
    }
    return std::all_of(host.begin(), host.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
    });
}

Result<std::uint16_t> parse_port(std::string_view text, std::uint16_t fallback) {
    if (text.empty()) { // RFC 3986 allows "host:"
        return fallback;
    }
    std::uint16_t port = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (ec != std::errc{} || end != text.data() + text.size() || port == 0) {
        return unusable("the port is not a number from 1 to 65535");
    }
    return port;
}

/// Splits "host", "host:port", "[v6]" or "[v6]:port" into the URL.
std::optional<Error> read_authority(std::string_view text, Url& url) {
    if (text.find('@') != std::string_view::npos) {
        return unusable("it holds user information");
    }
    std::string_view port;
    if (text.starts_with('[')) {
        const auto close = text.find(']');
        const auto address = parse_ip(text.substr(1, close == text.npos ? 0 : close - 1));
        const auto rest = close == text.npos ? text : text.substr(close + 1);
        if (!address || address->size != 16 || (!rest.empty() && rest.front() != ':')) {
            return unusable("the address in brackets is not IPv6");
        }
        url.host = to_string(*address);
        port = rest.empty() ? rest : rest.substr(1);
    } else {
        const auto colon = text.find(':');
        if (!is_host_name(text.substr(0, colon))) {
            return unusable("the host is neither a name nor an address");
        }
        url.host = lower(text.substr(0, colon));
        port = colon == text.npos ? std::string_view{} : text.substr(colon + 1);
    }
    const auto number = parse_port(port, url.is_tls() ? 443 : 80);
    if (!number) {
        return number.error();
    }
    url.port = *number;
    return std::nullopt;
}

bool has_scheme(std::string_view reference) noexcept {
    const auto end = reference.find_first_of(":/?#");
    return end != reference.npos && reference[end] == ':' && is_letter(reference.front());
}

/// RFC 3986, section 5.2.4, for paths that start with '/'.
std::string remove_dot_segments(std::string_view path) {
    std::vector<std::string_view> kept;
    bool ends_with_slash = false;
    while (!path.empty()) {
        path.remove_prefix(1);
        const auto segment = path.substr(0, path.find('/'));
        path.remove_prefix(segment.size());
        const bool is_dots = segment == "." || segment == "..";
        if (!is_dots) {
            kept.push_back(segment);
        } else if (segment == ".." && !kept.empty()) {
            kept.pop_back();
        }
        ends_with_slash = is_dots;
    }
    std::string result;
    for (const auto segment : kept) {
        result.append("/").append(segment);
    }
    if (ends_with_slash || result.empty()) {
        result += '/';
    }
    return result;
}

std::string_view path_of(std::string_view target) noexcept {
    return target.substr(0, target.find('?'));
}

} // namespace

Result<Url> Url::parse(std::string_view text) {
    if (auto error = check_text(text)) {
        return *error;
    }
    const auto colon = text.find("://");
    if (colon == text.npos) {
        return unusable("it does not start with http:// or https://");
    }
    Url url;
    url.scheme = lower(text.substr(0, colon));
    if (url.scheme != "http" && url.scheme != "https") {
        return unusable("only http and https are supported");
    }
    text.remove_prefix(colon + 3);
    text = text.substr(0, text.find('#'));
    const auto authority = text.substr(0, text.find_first_of("/?"));
    if (auto error = read_authority(authority, url)) {
        return *error;
    }
    text.remove_prefix(authority.size());
    url.target = text.starts_with('/') ? std::string{text} : fmt::format("/{}", text);
    return url;
}

Result<Url> Url::resolve(std::string_view reference) const {
    if (auto error = check_text(reference)) {
        return *error;
    }
    if (has_scheme(reference)) {
        return parse(reference);
    }
    if (reference.starts_with("//")) {
        return parse(fmt::format("{}:{}", scheme, reference));
    }
    reference = reference.substr(0, reference.find('#'));
    Url url = *this;
    if (reference.empty()) {
        return url;
    }
    const auto path = path_of(reference);
    const auto query = reference.substr(path.size());
    const auto base = path_of(target);
    if (path.empty()) {
        url.target = fmt::format("{}{}", base, query);
    } else if (path.starts_with('/')) {
        url.target = remove_dot_segments(path).append(query);
    } else {
        const auto folder = base.substr(0, base.rfind('/') + 1);
        url.target = remove_dot_segments(fmt::format("{}{}", folder, path)).append(query);
    }
    if (url.target.size() > longest_url) {
        return unusable("longer than 16 KiB");
    }
    return url;
}

bool Url::same_origin(const Url& other) const noexcept {
    return scheme == other.scheme && host == other.host && port == other.port;
}

std::string Url::authority() const {
    std::string text = host.find(':') == host.npos ? host : fmt::format("[{}]", host);
    if (port != (is_tls() ? 443 : 80)) {
        text += fmt::format(":{}", port);
    }
    return text;
}

std::string Url::to_string() const {
    return fmt::format("{}://{}{}", scheme, authority(), target);
}

std::string Url::to_log() const {
    return fmt::format("{}://{}{}", scheme, authority(), path_of(target));
}

std::string percent_encode(std::string_view text, bool keep_slash) {
    constexpr std::string_view hex = "0123456789ABCDEF";
    std::string result;
    result.reserve(text.size());
    for (const char c : text) {
        const bool unreserved =
            is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved || (keep_slash && c == '/')) {
            result += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            result += {'%', hex[byte >> 4], hex[byte & 15]};
        }
    }
    return result;
}

} // namespace wharf::net
