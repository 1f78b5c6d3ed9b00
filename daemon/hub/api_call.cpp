#include "daemon/hub/api_call.hpp"

#include "daemon/hub/file_answer.hpp"
#include "daemon/hub/redirects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wharf::hub {

namespace {

constexpr std::size_t most_error_bytes = 64 << 10;
constexpr std::size_t most_answer_bytes = 64 << 20;
constexpr std::size_t longest_token = 8 << 10;

/// A token goes into a header line: nothing that could end it or begin another may be in it.
bool is_sendable(std::string_view secret) noexcept {
    return secret.size() <= longest_token &&
           std::ranges::all_of(secret, [](char c) { return c > 0x20 && c < 0x7f; });
}

net::HttpRequest request_of(const ApiCall& call, const net::Url& url, const net::Url& endpoint) {
    net::HttpRequest request = request_for(url, endpoint, call.token, call.accept);
    request.method = call.method;
    request.body = call.body;
    request.stream = call.stream;
    if (!call.content_type.empty()) {
        request.headers.add("Content-Type", call.content_type);
    }
    return request;
}

bool is_success(std::string_view method, unsigned status) noexcept {
    return method == "GET" ? status == 200 : status >= 200 && status < 300;
}

bool is_wanted(const ApiCall& call, unsigned status) noexcept {
    return is_success(call.method, status) ||
           std::ranges::find(call.also, status) != call.also.end();
}

/// Where to go on. What has a body would lose it on the way of the other redirects: clients turn
/// it into a GET (RFC 9110, section 15.4).
net::Url next_hop(const ApiCall& call, const net::Headers& headers, unsigned status,
                  const net::Url& from) {
    if (call.method != "GET" && status != 307 && status != 308) {
        throw Error{ErrorKind::protocol,
                    fmt::format("{} redirects {} in a way that loses what is sent (status {})",
                                from.authority(), describe(call.subject), status)};
    }
    return redirect_target(headers, from, call.subject).value();
}

Error refused(const ApiCall& call, const Ended& answer) {
    return call.writes ? write_error(refusal_of(answer), call.subject)
                       : hub_error(refusal_of(answer), call.subject);
}

} // namespace

net::HttpRequest request_for(const net::Url& url, const net::Url& endpoint, const Token& token,
                             std::string accept) {
    net::HttpRequest request;
    request.url = url;
    request.headers.add("Accept", std::move(accept));
    // Sizes and offsets must be those of the content; the Hub compresses when it may.
    request.headers.add("Accept-Encoding", "identity");
    if (!token.empty() && url.same_origin(endpoint)) {
        const std::string_view secret = token.reveal();
        if (!is_sendable(secret)) {
            throw Error{ErrorKind::unauthorized, "the token holds characters that no token has",
                        "check where the token comes from"};
        }
        request.headers.add("Authorization", std::string{"Bearer "}.append(secret));
    }
    return request;
}

Awaitable<Ended> read_rest(net::HttpResponse response) {
    std::array<std::byte, 4096> buffer{};
    Ended ended{response.status(), response.headers(), {}};
    while (ended.body.size() < most_error_bytes) {
        const std::size_t count = co_await response.read_some(buffer);
        if (count == 0) {
            break;
        }
        ended.body.append(reinterpret_cast<const char*>(buffer.data()), count);
    }
    co_return ended;
}

Refusal refusal_of(const Ended& ended) {
    return {ended.status, ended.headers, ended.body, std::chrono::system_clock::now()};
}

Awaitable<ApiAnswer> ask_api(Transport& transport, const net::Url& endpoint, ApiCall call) {
    if (call.writes && call.token.empty()) {
        throw Error{
            ErrorKind::unauthorized,
            fmt::format("nothing of {} can be changed without a token", describe(call.subject)),
            "`wharf auth login` stores one"};
    }
    net::Url url = call.url;
    for (int hop = 0; hop <= most_redirects; ++hop) {
        net::HttpRequest request = request_of(call, url, endpoint);
        net::HttpResponse response =
            co_await transport.send(std::move(request), Account{call.token, Bucket::api});
        const unsigned status = response.status();
        if (is_wanted(call, status)) {
            check_coding(response.headers(), call.subject).value();
            std::string body = co_await response.read_all(most_answer_bytes);
            co_return ApiAnswer{std::move(url), status, response.headers(), std::move(body)};
        }
        const Ended answer = co_await read_rest(std::move(response));
        if (!is_redirect(status)) {
            throw refused(call, answer);
        }
        // Renamed repos are answered with 307 and a relative Location.
        url = next_hop(call, answer.headers, status, url);
        if (!url.same_origin(endpoint)) {
            throw foreign_redirect(url, call.subject);
        }
    }
    throw too_many_redirects(call.subject);
}

Awaitable<Ended> send_elsewhere(Transport& transport, const net::Url& endpoint, ApiCall call) {
    net::Url url = call.url;
    for (int hop = 0; hop <= most_redirects; ++hop) {
        check_scheme(url, endpoint, call.subject).value();
        net::HttpRequest request = request_of(call, url, endpoint);
        net::HttpResponse response =
            co_await transport.send(std::move(request), Account{call.token, Bucket::files});
        Ended answer = co_await read_rest(std::move(response));
        if (is_success(call.method, answer.status)) {
            co_return answer;
        }
        if (!is_redirect(answer.status)) {
            throw upload_error(refusal_of(answer), url, call.subject);
        }
        url = next_hop(call, answer.headers, answer.status, url);
    }
    throw too_many_redirects(call.subject);
}

} // namespace wharf::hub
