#pragma once

#include "base/error.hpp"
#include "daemon/hub/hub_error.hpp"
#include "daemon/net/headers.hpp"
#include "daemon/net/url.hpp"

#include <string>

namespace wharf::hub {

// Where the Hub may send us. Targets are not quoted in sentences: the query of a signed URL is a
// secret.

/// How often an answer may lead elsewhere.
constexpr int most_redirects = 10;

bool is_redirect(unsigned status) noexcept;

/// Where a redirect leads to. Errors: protocol.
Result<net::Url> redirect_target(const net::Headers& headers, const net::Url& from,
                                 const Subject& subject);

Error too_many_redirects(const Subject& subject);

/// A question that is led away from the endpoint's origin.
Error foreign_redirect(const net::Url& target, const Subject& subject);

/// The next page's URL. Errors: protocol when it is not below the endpoint's API for such repos:
/// the token will be sent there.
Result<net::Url> next_page(const std::string& reference, const net::Url& page,
                           const net::Url& endpoint, const Subject& subject);

/// Whether a location from elsewhere may be asked: where the Hub is asked safely, so are its files.
/// Errors: protocol.
Result<void> check_scheme(const net::Url& url, const net::Url& endpoint, const Subject& subject);

} // namespace wharf::hub
