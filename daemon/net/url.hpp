#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace wharf::net {

/// An absolute http or https URL, taken apart. Host is lower case, IPv6 without brackets.
struct Url {
    std::string scheme;     ///< "http" or "https"
    std::string host;       ///< a name or an address
    std::uint16_t port = 0; ///< never 0 after parse(): the scheme's default is filled in
    std::string target;     ///< path and query as sent, starts with '/', never has a fragment

    /// Errors: invalid_request for anything but an absolute http(s) URL, user info, control
    /// characters, spaces, non-ASCII or a length over 16 KiB.
    static Result<Url> parse(std::string_view text);

    /// The URL a Location or Link header means, seen from this one (RFC 3986, section 5).
    Result<Url> resolve(std::string_view reference) const;

    bool is_tls() const noexcept { return scheme == "https"; }

    /// Same scheme, host and port: the only place where a token may follow.
    bool same_origin(const Url& other) const noexcept;

    /// "host", or "host:port" where the port is not the scheme's default; brackets around IPv6.
    std::string authority() const;

    /// The whole URL, query included. Not for logs: queries of signed URLs are secrets.
    std::string to_string() const;

    /// For logs and errors: without the query.
    std::string to_log() const;
};

/// Percent-encodes all but unreserved characters (RFC 3986); '/' stays when `keep_slash`.
std::string percent_encode(std::string_view text, bool keep_slash);

} // namespace wharf::net
