#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/hub/hub_error.hpp"
#include "daemon/hub/transport.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/net/http_client.hpp"
#include "daemon/net/url.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace wharf::hub {

// Requests and answers of the Hub's API, for the clients of this folder. Redirects are followed
// here, one request at a time, because each hop needs a decision: the token goes to the endpoint's
// origin (scheme, host and port) and nowhere else, and API calls never leave it. Bodies of
// redirects are read, so that their connection can be used again.

/// A request without a body, with the token if the URL is the endpoint's own. The only place that
/// reveals tokens.
net::HttpRequest request_for(const net::Url& url, const net::Url& endpoint, const Token& token,
                             std::string accept = "*/*");

/// An answer whose body, or its beginning, has been read.
struct Ended {
    unsigned status = 0;
    net::Headers headers;
    std::string body;
};

/// Reads an answer that is not the wanted content, up to 64 KiB. What lies beyond is given up
/// together with the connection.
Awaitable<Ended> read_rest(net::HttpResponse response);

Refusal refusal_of(const Ended& ended);

/// The value, or else throws the Error with what it is about in front.
template <typename T>
T value_about(Result<T> result, const Subject& subject) {
    if (!result) {
        throw result.error().with_context(describe(subject));
    }
    return std::move(result).value();
}

/// A question, or something to be done.
struct ApiCall {
    std::string method = "GET";
    net::Url url;
    std::string accept = "*/*";
    std::string content_type; ///< of the body; empty: none
    std::string body;         ///< what is sent: a text, or else a stream
    std::shared_ptr<net::RequestBody> stream;
    Token token;
    Subject subject;
    bool writes = false; ///< refusals are about what may be changed (write_error)
    /// Statuses besides success that are answers, and no refusals.
    std::vector<unsigned> also;
};

/// An answer. `url`: where it came from in the end; links in it start there.
struct ApiAnswer {
    net::Url url;
    unsigned status = 0;
    net::Headers headers;
    std::string body;
};

/// Asks the API, and stays at the endpoint's origin. Of GETs only a 200 is a success. Throws the
/// Hub's refusals as Errors; unauthorized for a call that writes without a token. Requires:
/// transport and endpoint outlive the coroutine.
Awaitable<ApiAnswer> ask_api(Transport& transport, const net::Url& endpoint, ApiCall call);

/// Sends something to where the Hub wants it, at whatever host; a token in the call is sent along
/// only where the API is. Never from an endpoint with TLS to a place without. Errors as
/// upload_error() makes them. Of the answer's body at most 64 KiB are read. Requires: as ask_api.
Awaitable<Ended> send_elsewhere(Transport& transport, const net::Url& endpoint, ApiCall call);

} // namespace wharf::hub
