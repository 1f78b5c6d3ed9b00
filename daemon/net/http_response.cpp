#include "daemon/net/http_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace wharf::net {

namespace {

constexpr std::size_t read_all_step = 64 << 10;

Error too_long(std::size_t limit) {
    return Error{ErrorKind::protocol,
                 fmt::format("the answer is longer than the {} bytes we accept", limit)};
}

} // namespace

HttpResponse::HttpResponse(unsigned status, Headers headers, std::unique_ptr<Body> body)
    : status_{status}, headers_{std::move(headers)}, body_{std::move(body)} {}

HttpResponse::HttpResponse(HttpResponse&&) noexcept = default;
HttpResponse& HttpResponse::operator=(HttpResponse&&) noexcept = default;
HttpResponse::~HttpResponse() = default;

std::optional<std::uint64_t> HttpResponse::content_length() const {
    const auto text = headers_.find("Content-Length");
    if (!text || headers_.find("Transfer-Encoding")) {
        return std::nullopt;
    }
    std::uint64_t length = 0;
    const auto [end, ec] = std::from_chars(text->data(), text->data() + text->size(), length);
    if (ec != std::errc{} || end != text->data() + text->size()) {
        return std::nullopt;
    }
    return length;
}

Awaitable<std::size_t> HttpResponse::read_some(std::span<std::byte> buffer) {
    return body_->read_some(buffer);
}

Awaitable<std::string> HttpResponse::read_all(std::size_t limit) {
    std::string text;
    for (;;) {
        const std::size_t before = text.size();
        text.resize(before + std::min(read_all_step, limit - before + 1));
        const auto room = std::as_writable_bytes(std::span{text}.subspan(before));
        const std::size_t count = co_await body_->read_some(room);
        text.resize(before + count);
        if (count == 0) {
            co_return text;
        }
        if (text.size() > limit) {
            throw too_long(limit);
        }
    }
}

} // namespace wharf::net
