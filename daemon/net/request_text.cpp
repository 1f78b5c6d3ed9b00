#include "daemon/net/request_text.hpp"

#include "daemon/net/http_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wharf::net {

namespace {

/// What only the client itself may say.
constexpr std::array<std::string_view, 9> framing_fields{
    "Host", "Connection", "Content-Length", "Transfer-Encoding",  "Expect",
    "TE",   "Trailer",    "Upgrade",        "Proxy-Authorization"};

constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";

Error refused(std::string_view why) {
    return Error{ErrorKind::invalid_request, fmt::format("not a usable HTTP request: {}", why)};
}

/// RFC 9110, section 5.5: everything but controls; CR, LF and NUL could end the field.
bool is_field_value(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

bool is_target(std::string_view text) noexcept {
    return text.starts_with('/') &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::optional<Error> check(const HttpRequest& request) {
    if (!is_token(request.method) || request.method == "CONNECT") {
        return refused("the method is not one");
    }
    if (request.stream && !request.body.empty()) {
        return refused("it has two bodies");
    }
    if (!is_target(request.url.target) || !is_target("/" + request.url.host)) {
        return refused("the URL holds a character that URLs cannot hold");
    }
    for (const auto& [name, value] : request.headers.fields()) {
        if (!is_token(name)) {
            return refused("a header's name holds a character that names cannot hold");
        }
        if (!is_field_value(value)) {
            return refused(fmt::format("the value of {} holds a control character", name));
        }
        const bool framing =
            std::any_of(framing_fields.begin(), framing_fields.end(),
                        [&name](std::string_view field) { return equal_names(field, name); });
        if (framing) {
            return refused(fmt::format("{} is not for the caller to set", name));
        }
    }
    return std::nullopt;
}

bool announces_length(const HttpRequest& request) noexcept {
    return !request.body.empty() || request.stream || request.method == "POST" ||
           request.method == "PUT" || request.method == "PATCH";
}

/// More bytes than the header will have.
std::size_t room_for(const HttpRequest& request, const RequestStyle& style) {
    constexpr std::size_t around_each = 4; // ": " and the line's end
    constexpr std::size_t all_else = 256;  // the first line's words and the fields we add
    std::size_t size = all_else + request.method.size() + request.url.to_string().size() +
                       request.url.authority().size() + style.user_agent.size() +
                       style.proxy_authorization.size();
    for (const auto& [name, value] : request.headers.fields()) {
        size += name.size() + value.size() + around_each;
    }
    return size;
}

void append_field(std::string& text, std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value).append("\r\n");
}

} // namespace

bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               token_marks.find(c) != std::string_view::npos;
    });
}

Result<std::string> format_request(const HttpRequest& request, const RequestStyle& style) {
    if (auto error = check(request)) {
        return *error;
    }
    if (!is_field_value(style.user_agent)) {
        return refused("the user agent holds a control character");
    }
    std::string text =
        fmt::format("{} {} HTTP/1.1\r\n", request.method,
                    style.absolute_target ? request.url.to_string() : request.url.target);
    text.reserve(room_for(request, style)); // growing would leave copies of tokens behind
    append_field(text, "Host", request.url.authority());
    if (!request.headers.find("User-Agent") && !style.user_agent.empty()) {
        append_field(text, "User-Agent", style.user_agent);
    }
    if (!request.headers.find("Accept-Encoding")) { // bodies are handed on as they come
        append_field(text, "Accept-Encoding", "identity");
    }
    for (const auto& [name, value] : request.headers.fields()) {
        append_field(text, name, value);
    }
    if (!style.proxy_authorization.empty()) {
        append_field(text, "Proxy-Authorization", style.proxy_authorization);
    }
    if (announces_length(request)) {
        const auto length = request.stream ? request.stream->size() : request.body.size();
        append_field(text, "Content-Length", fmt::to_string(length));
    }
    text.append("\r\n");
    return text; // moved; what append() returns would be copied
}

std::string format_connect(std::string_view authority, const RequestStyle& style) {
    std::string text = fmt::format("CONNECT {} HTTP/1.1\r\n", authority);
    append_field(text, "Host", authority);
    if (!style.user_agent.empty()) {
        append_field(text, "User-Agent", style.user_agent);
    }
    if (!style.proxy_authorization.empty()) {
        append_field(text, "Proxy-Authorization", style.proxy_authorization);
    }
    return text.append("\r\n");
}

} // namespace wharf::net
