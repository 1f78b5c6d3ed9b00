#include "daemon/hub/redirects.hpp"

#include "daemon/hub/urls.hpp"

#include <fmt/format.h>

namespace wharf::hub {

namespace {

/// "https://host": an origin for sentences.
std::string origin_of(const net::Url& url) {
    return fmt::format("{}://{}", url.scheme, url.authority());
}

} // namespace

bool is_redirect(unsigned status) noexcept {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Result<net::Url> redirect_target(const net::Headers& headers, const net::Url& from,
                                 const Subject& subject) {
    const auto location = headers.find("Location");
    if (!location) {
        return Error{ErrorKind::protocol, fmt::format("{} redirects {} without saying where to",
                                                      from.authority(), describe(subject))};
    }
    auto target = from.resolve(*location);
    if (!target) {
        return Error{ErrorKind::protocol,
                     fmt::format("{} redirects {} to something that is not a web address",
                                 from.authority(), describe(subject))};
    }
    return target;
}

Error too_many_redirects(const Subject& subject) {
    return Error{ErrorKind::protocol, fmt::format("{} is redirected more than {} times",
                                                  describe(subject), most_redirects)};
}

Error foreign_redirect(const net::Url& target, const Subject& subject) {
    return Error{ErrorKind::protocol,
                 fmt::format("the Hub redirects the question for {} to {}, which is not the Hub",
                             describe(subject), origin_of(target)),
                 "if that is the Hub's new address, set it as the endpoint"};
}

Result<net::Url> next_page(const std::string& reference, const net::Url& page,
                           const net::Url& endpoint, const Subject& subject) {
    auto next = page.resolve(reference);
    if (!next) {
        return Error{ErrorKind::protocol, fmt::format("the next page of the listing of {} is not "
                                                      "at a web address",
                                                      describe(subject))};
    }
    if (!next->same_origin(endpoint)) {
        return Error{ErrorKind::protocol,
                     fmt::format("the next page of the listing of {} is said to be at {}, which is "
                                 "not the Hub",
                                 describe(subject), origin_of(*next))};
    }
    if (!next->target.starts_with(api_path(endpoint, subject.repo.type))) {
        return Error{ErrorKind::protocol,
                     fmt::format("the next page of the listing of {} is said to be outside the "
                                 "API, at {}",
                                 describe(subject), next->to_log())};
    }
    return next;
}

Result<void> check_scheme(const net::Url& url, const net::Url& endpoint, const Subject& subject) {
    if (endpoint.is_tls() && !url.is_tls()) {
        return Error{ErrorKind::protocol,
                     fmt::format("{} is said to be at {}, without encryption; refused",
                                 describe(subject), origin_of(url))};
    }
    return {};
}

} // namespace wharf::hub
