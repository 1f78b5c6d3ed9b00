#pragma once

#include "daemon/hub/upload_client.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

namespace wharf::hub::test {

inline const std::string head(40, 'd');

/// A client that pushes, and the network it believes in.
struct Scene {
    explicit Scene(std::string_view endpoint = "https://hub.example")
        : client{transport, wharf::net::Url::parse(endpoint).value()} {}

    CommitTarget target(const std::string& revision = "main") const {
        return {repo, revision, token};
    }
    void answer(unsigned status, const std::string& body, const Fields& fields = {}) {
        transport.answers.push_back({status, fields, body});
    }
    const wharf::net::HttpRequest& request(std::size_t index = 0) const {
        return transport.requests.at(index);
    }
    /// Of a request: "POST https://... body".
    std::string said(std::size_t index = 0) const {
        return request(index).method + " " + transport.asked(index) + " " + request(index).body;
    }
    bool shows_token(std::size_t index = 0) const {
        return transport.field(index, "Authorization") == "Bearer " + secret;
    }

    FakeTransport transport;
    UploadClient client;
    RepoId repo{RepoType::model, "org/name"};
    Token token{secret};
};

template <typename T>
ErrorKind kind_of(wharf::Awaitable<T> work) {
    return error_of(std::move(work)).kind();
}

/// As error_of, for what has no result.
inline Error failure_of(wharf::Awaitable<> work) {
    try {
        wharf::test::run(std::move(work));
    } catch (const Error& error) {
        check_discreet(error);
        return error;
    }
    FAIL("it did not fail");
    return {};
}

} // namespace wharf::hub::test
