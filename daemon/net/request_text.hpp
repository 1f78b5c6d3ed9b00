#pragma once

#include "base/error.hpp"

#include <string>
#include <string_view>

namespace wharf::net {

struct HttpRequest;

/// How a request is worded besides what it says.
struct RequestStyle {
    std::string user_agent{};          ///< unless the request has its own
    bool absolute_target = false;      ///< the whole URL, as proxies of plain HTTP want it
    std::string proxy_authorization{}; ///< empty: none
};

/// The request line and all fields, up to and with the empty line. Errors: invalid_request for
/// methods that are no tokens, two bodies, fields that could smuggle in other fields, and fields
/// that say how the message is framed (Host, Connection, Content-Length, Transfer-Encoding and
/// their like).
Result<std::string> format_request(const HttpRequest& request, const RequestStyle& style);

/// The request that asks a proxy for a tunnel to `authority` ("host:port").
std::string format_connect(std::string_view authority, const RequestStyle& style);

/// Whether the text is a token (RFC 9110, section 5.6.2): what methods and field names may be.
bool is_token(std::string_view text) noexcept;

} // namespace wharf::net
