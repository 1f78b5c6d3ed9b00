#pragma once

#include "base/error.hpp"
#include "daemon/net/url.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::net {

/// An HTTP proxy.
struct Proxy {
    std::string host;
    std::uint16_t port = 0;
    std::string authorization; ///< value of Proxy-Authorization; empty: none

    /// "proxy.example:3128", never with the password.
    std::string name() const;

    /// Reads "[http://][user[:password]@]host[:port]"; the port is 80 when it lacks. Errors:
    /// invalid_request, without the text, which may hold a password.
    static Result<Proxy> parse(std::string_view text);
};

/// Decides which proxy, if any, a URL is reached through. No I/O.
class ProxyRules {
  public:
    /// Looks up an environment variable.
    using Environment = std::function<std::optional<std::string>(const char* name)>;

    /// `proxy` and `no_proxy` as in HttpOptions. Where they are empty the environment decides:
    /// `https_proxy` or `http_proxy` by the URL's scheme, then `all_proxy`, and `no_proxy`; of each
    /// the lower-case name first, and when that is set but empty there is none. Errors:
    /// invalid_request for proxies that are no URL or not plain HTTP.
    static Result<ProxyRules> make(std::string_view proxy, std::string_view no_proxy,
                                   const Environment& environment);

    /// None: connect directly.
    const Proxy* choose(const Url& url) const noexcept;

  private:
    std::optional<Proxy> for_http_;
    std::optional<Proxy> for_https_;
    std::vector<std::string> direct_; ///< entries of no_proxy, lower case

    bool is_direct(const Url& url) const noexcept;
};

/// The process's environment.
std::optional<std::string> process_environment(const char* name);

} // namespace wharf::net
