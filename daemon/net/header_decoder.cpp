#include "daemon/net/header_decoder.hpp"

#include <boost/beast/core/string_type.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace wharf::net {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::error_code;
using beast::string_view;

namespace {

constexpr std::size_t most_fields = 256;

Error nonsense(std::string_view why) {
    return Error{ErrorKind::protocol, fmt::format("the answer is not proper HTTP: {}", why)};
}

std::string text(string_view view) {
    return {view.data(), view.size()};
}

} // namespace

/// Beast reads the header's grammar; what it finds goes straight to our types. It never gets to a
/// body: put() stops after the header.
class HeaderDecoder::Parser final : public http::basic_parser<false> {
  public:
    Headers headers;
    unsigned status = 0;
    unsigned version = 0;

  private:
    std::size_t fields_ = 0;

    void on_response_impl(int code, string_view, int http_version, error_code& ec) override {
        status = static_cast<unsigned>(code);
        version = static_cast<unsigned>(http_version);
        if (version != 10 && version != 11) {
            ec = http::error::bad_version;
        }
    }

    void on_field_impl(http::field, string_view name, string_view value, error_code& ec) override {
        if (++fields_ > most_fields) {
            ec = http::error::header_limit;
        } else {
            headers.add(text(name), text(value));
        }
    }

    void on_request_impl(http::verb, string_view, string_view, int, error_code&) override {}
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(string_view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, string_view, error_code&) override { return 0; }
    void on_finish_impl(error_code&) override {}
};

HeaderDecoder::HeaderDecoder(bool has_body, std::size_t max_header_bytes)
    : parser_{std::make_unique<Parser>()} {
    parser_->skip(!has_body);
    parser_->body_limit(boost::none);
    parser_->header_limit(static_cast<std::uint32_t>(
        std::min<std::size_t>(max_header_bytes, std::numeric_limits<std::uint32_t>::max())));
}

HeaderDecoder::~HeaderDecoder() = default;

Result<std::size_t> HeaderDecoder::put(std::span<const std::byte> input) {
    error_code ec;
    const std::size_t used = parser_->put({input.data(), input.size()}, ec);
    if (ec && ec != http::error::need_more) {
        return nonsense(ec == http::error::header_limit ? "its header is too large" : ec.message());
    }
    if (!is_done()) {
        return used;
    }
    const auto& headers = parser_->headers;
    const auto codings = headers.all("Transfer-Encoding");
    if (codings.size() > 1 || (codings.size() == 1 && !equal_names(codings[0], "chunked"))) {
        return nonsense("a transfer coding other than chunked");
    }
    if (!codings.empty() && headers.find("Content-Length")) {
        return nonsense("both a length and a transfer coding");
    }
    if (framing() == Framing::sized && length() > std::numeric_limits<std::int64_t>::max()) {
        return nonsense("its length is beyond all measure");
    }
    return used;
}

bool HeaderDecoder::is_done() const noexcept {
    return parser_->is_header_done();
}

unsigned HeaderDecoder::status() const noexcept {
    return parser_->status;
}

Headers& HeaderDecoder::headers() noexcept {
    return parser_->headers;
}

HeaderDecoder::Framing HeaderDecoder::framing() const noexcept {
    if (parser_->chunked() && !parser_->is_done()) {
        return Framing::chunked;
    }
    if (parser_->need_eof()) {
        return Framing::until_close;
    }
    return parser_->is_done() ? Framing::none : Framing::sized;
}

std::uint64_t HeaderDecoder::length() const noexcept {
    return parser_->content_length().value_or(0);
}

bool HeaderDecoder::keeps_connection() const noexcept {
    return parser_->version == 11 && parser_->keep_alive();
}

} // namespace wharf::net
