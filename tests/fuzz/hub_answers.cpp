// What the fields of an answer mean for us: quotas, waits, links, redirects, ranges, errors. The
// input is an answer. Promises: nobody stops us for more than an hour; a body that is accepted is
// the part that was asked for; what becomes a sentence is one printable line without a token.

#include "daemon/hub/file_answer.hpp"
#include "daemon/hub/header_fields.hpp"
#include "daemon/hub/hub_error.hpp"
#include "daemon/hub/quota.hpp"
#include "daemon/net/header_decoder.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <span>

namespace wharf::fuzz {

namespace {

using namespace std::chrono_literals;

/// The body of an answer whose bytes are not asked for.
class NoBody final : public net::HttpResponse::Body {
  public:
    Awaitable<std::size_t> read_some(std::span<std::byte>) override { co_return 0; }
};

const std::string commit = "1234567890abcdef1234567890abcdef12345678";
const hub::ExpectedFile expected{{{hub::RepoType::model, "org/name"}, commit, "a/b.bin"},
                                 commit,
                                 "abcdef7890abcdef1234567890abcdef12345678",
                                 1000};

void check_error(const Error& error) {
    for (const std::string& text : {error.message(), error.hint()}) {
        require(is_printable(text), "an error is one printable line");
        require(text.size() < 1000, "an error is short");
    }
    if (const auto wait = error.retry_after()) {
        require(*wait >= 0s && *wait <= 1h, "nobody stops us for more than an hour");
    }
}

void check_errors(const hub::Refusal& refusal) {
    static const net::Url location = net::Url::parse("https://cdn.example/x?Signature=1").value();
    check_error(hub::hub_error(refusal, expected.subject));
    const Error error = hub::location_error(refusal, location, expected.subject);
    check_error(error);
    require(error.message().find("Signature") == std::string::npos, "errors have no query");
}

void check_quota(unsigned status, const net::Headers& headers) {
    const auto news = hub::quota_news("hub.example", {}, status, headers);
    if (news.left) {
        require(news.left->reset >= 0s && news.left->reset <= 1h, "a window is at most an hour");
        require(!news.left->window || *news.left->window <= 1h, "a window is at most an hour");
    }
    require(!news.wait || (*news.wait >= 0s && *news.wait <= 1h),
            "nobody stops us for more than an hour");
}

void check_links(const net::Headers& headers) {
    static const net::Url page = net::Url::parse("https://hub.example/api/x?cursor=1").value();
    if (const auto link = hub::next_link(headers); link && *link) {
        const auto next = page.resolve(**link);
        require(!next || net::Url::parse(next->to_string()).has_value(), "a link is an address");
    }
}

void check_body(const net::HttpResponse& response) {
    const auto same = hub::check_identity(response, expected);
    require(same.has_value() || same.error().kind() == ErrorKind::protocol,
            "another file is the Hub's fault");
    const hub::ByteRange range{100, 200};
    if (const auto body = hub::check_body(response, range, expected)) {
        require(body->range_ignored ? body->first == 0 : body->first == range.begin,
                "a body begins where it was asked to");
        const auto length = response.content_length();
        const auto most = body->range_ignored ? expected.size : range.end - range.begin;
        require(!length || *length <= most, "a body is not longer than what was asked for");
    } else {
        check_error(body.error());
    }
    const auto whole = hub::check_body(response, std::nullopt, expected);
    require(!whole || whole->first == 0, "a whole file begins at its beginning");
}

} // namespace

void run(std::string_view input) {
    net::HeaderDecoder decoder{true, 8 << 10};
    std::string_view rest = input;
    while (!decoder.is_done()) {
        const auto used = decoder.put(std::as_bytes(std::span{rest}));
        if (!used || (*used == 0 && !decoder.is_done())) {
            return;
        }
        rest.remove_prefix(*used);
    }
    const MemoryLimit limit{(64 << 10) + 64 * input.size()};
    const net::Headers& headers = decoder.headers();
    check_quota(decoder.status(), headers);
    check_quota(429, headers);
    check_links(headers);
    check_errors({decoder.status(), headers, rest, std::chrono::system_clock::now()});
    check_body(net::HttpResponse{decoder.status(), headers, std::make_unique<NoBody>()});
}

} // namespace wharf::fuzz
