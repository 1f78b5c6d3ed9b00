#pragma once

#include "base/error.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/hub/transport.hpp"
#include "tests/support/run_coroutine.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace wharf::hub::test {

inline const std::string commit(40, 'c');
inline const std::string git_etag(40, '1');
inline const std::string lfs_etag(64, 'a');
inline const std::string secret = "hf_topsecret0123456789";

using Fields = std::vector<std::pair<std::string, std::string>>;

inline net::Headers headers_of(const Fields& fields) {
    net::Headers headers;
    for (const auto& [name, value] : fields) {
        headers.add(name, value);
    }
    return headers;
}

/// A body out of memory, a few bytes at a time; counts its end in `ended`.
class CannedBody final : public net::HttpResponse::Body {
  public:
    CannedBody(std::string text, int& ended) : text_{std::move(text)}, ended_{ended} {}
    Awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        const std::size_t count = std::min({buffer.size(), text_.size() - at_, std::size_t{999}});
        std::memcpy(buffer.data(), text_.data() + at_, count);
        at_ += count;
        ended_ += count == 0 ? 1 : 0;
        co_return count;
    }

  private:
    std::string text_;
    std::size_t at_ = 0;
    int& ended_;
};

struct Answer {
    unsigned status = 200;
    Fields fields = {};
    std::string body = {};
};

/// Gives prepared answers in order and remembers what was asked.
class FakeTransport final : public Transport {
  public:
    Awaitable<net::HttpResponse> send(net::HttpRequest request, Account account) override {
        requests.push_back(std::move(request));
        accounts.push_back(std::move(account));
        if (answers.empty()) {
            throw Error{ErrorKind::internal, "an unexpected request"};
        }
        Answer answer = std::move(answers.front());
        answers.pop_front();
        auto body = std::make_unique<CannedBody>(std::move(answer.body), bodies_read);
        co_return net::HttpResponse{answer.status, headers_of(answer.fields), std::move(body)};
    }

    /// Of a request: its URL.
    std::string asked(std::size_t index) const { return requests.at(index).url.to_string(); }

    /// Of a request: a header field; empty if it has none.
    std::string field(std::size_t index, std::string_view name) const {
        return std::string{requests.at(index).headers.find(name).value_or("")};
    }

    std::deque<Answer> answers;
    std::vector<net::HttpRequest> requests;
    std::vector<Account> accounts; ///< of the requests
    int bodies_read = 0;
};

/// A client and the network it believes in.
struct Setup {
    explicit Setup(std::string_view endpoint = "https://hub.example")
        : client{transport, net::Url::parse(endpoint).value()} {}

    FakeTransport transport;
    HubClient client;
    RepoId repo{RepoType::model, "org/name"};
    Token token{secret};
};

template <typename T>
Awaitable<> keep(Awaitable<T> work, std::optional<T>& result) {
    result.emplace(co_await std::move(work));
}

/// Runs to the end and returns the result.
template <typename T>
T result_of(Awaitable<T> work) {
    std::optional<T> result;
    wharf::test::run(keep(std::move(work), result));
    return std::move(*result);
}

inline void check_discreet(const Error& error) {
    for (const std::string& text : {error.message(), error.hint()}) {
        CHECK(text.find("topsecret") == std::string::npos);
        CHECK(text.find("secret-query") == std::string::npos);
    }
}

/// Runs to the expected failure and returns it. No failure may give away a token or a query.
template <typename T>
Error error_of(Awaitable<T> work) {
    try {
        result_of(std::move(work));
    } catch (const Error& error) {
        check_discreet(error);
        return error;
    }
    FAIL("it did not fail");
    return {};
}

inline std::string vector_text(const std::string& name) {
    std::ifstream file{std::string{WHARF_HUB_VECTORS} + "/" + name};
    REQUIRE_MESSAGE(file.good(), name);
    return {std::istreambuf_iterator<char>{file}, {}};
}

inline bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

} // namespace wharf::hub::test
