#pragma once

#include "daemon/net/http_client.hpp"
#include "daemon/net/proxy.hpp"
#include "daemon/net/request_text.hpp"
#include "daemon/net/resolver.hpp"
#include "daemon/net/socket.hpp"
#include "daemon/net/tls_context.hpp"

#include <memory>

namespace wharf::net {

/// Opens connections: look-up, TCP, a proxy's tunnel, TLS, each with its deadline. One thread; must
/// outlive the streams it opened.
class Connector {
  public:
    /// Throws an invalid_request Error when the CA file or the proxy is unusable.
    Connector(Executor executor, const HttpOptions& options, std::shared_ptr<OpenSockets> sockets);

    /// A fresh connection on which requests for the URL's origin can be sent in the style of
    /// style_for(). Throws network Errors.
    Awaitable<std::unique_ptr<Stream>> open(Url url);

    /// How requests for this URL must be worded: plain HTTP through a proxy has its own way.
    RequestStyle style_for(const Url& url) const;

    void forget_addresses() noexcept { resolver_.forget(); }

  private:
    const HttpOptions& options_;
    std::shared_ptr<OpenSockets> sockets_;
    TlsContext tls_;
    ProxyRules proxies_;
    Resolver resolver_;

    Awaitable<Socket> connect(std::string host, std::uint16_t port, std::string peer);
    Awaitable<Socket> open_tunnel(Proxy proxy, Url url);
    Awaitable<std::unique_ptr<Stream>> secure(Socket socket, std::string host);
};

} // namespace wharf::net
