#include "daemon/net/connector.hpp"

#include "base/log.hpp"
#include "daemon/net/http_exchange.hpp"
#include "daemon/net/tcp_stream.hpp"
#include "daemon/net/tls_stream.hpp"

#include <fmt/format.h>

namespace wharf::net {

namespace {

/// "cdn.example:443": with the port always, for connections and their messages.
std::string peer_name(const Url& url) {
    return url.host.find(':') == url.host.npos ? fmt::format("{}:{}", url.host, url.port)
                                               : fmt::format("[{}]:{}", url.host, url.port);
}

Error tunnel_refused(const std::string& peer, const std::string& proxy, unsigned status) {
    if (status == 407) {
        Error unknown{ErrorKind::network,
                      fmt::format("connecting to {}: the proxy {} wants a user and a password "
                                  "(status 407)",
                                  peer, proxy),
                      "put them into the proxy's URL: http://user:password@host:port"};
        return unknown.set_lasting();
    }
    return Error{
        ErrorKind::network,
        fmt::format("connecting to {}: the proxy {} refused with status {}", peer, proxy, status),
        "if the host needs no proxy, add it to [hub] no_proxy"};
}

/// The socket behind an exchange on a TcpStream. None when the peer said more than it should.
std::optional<Socket> socket_behind(HttpExchange& exchange) {
    if (!exchange.has_nothing_more()) {
        return std::nullopt;
    }
    const auto stream = exchange.take_stream();
    return std::move(static_cast<TcpStream&>(*stream)).take_socket();
}

} // namespace

Connector::Connector(Executor executor, const HttpOptions& options,
                     std::shared_ptr<OpenSockets> sockets)
    : options_{options}, sockets_{std::move(sockets)}, tls_{options.ca_file},
      proxies_{ProxyRules::make(options.proxy, options.no_proxy, process_environment).value()},
      resolver_{std::move(executor)} {}

Awaitable<std::unique_ptr<Stream>> Connector::open(Url url) {
    const Proxy* proxy = proxies_.choose(url);
    if (url.is_tls() && proxy != nullptr) {
        Socket tunnel = co_await open_tunnel(*proxy, url);
        auto stream = co_await secure(std::move(tunnel), url.host);
        co_return stream;
    }
    std::string host = proxy != nullptr ? proxy->host : url.host;
    const auto port = proxy != nullptr ? proxy->port : url.port;
    std::string peer = proxy != nullptr ? "proxy " + proxy->name() : peer_name(url);
    Socket socket = co_await connect(std::move(host), port, std::move(peer));
    if (!url.is_tls()) {
        co_return std::make_unique<TcpStream>(std::move(socket));
    }
    auto stream = co_await secure(std::move(socket), url.host);
    co_return stream;
}

Awaitable<std::unique_ptr<Stream>> Connector::secure(Socket socket, std::string host) {
    const auto deadline = Deadline::after(options_.tls_timeout, "TLS handshake with");
    return open_tls(std::move(socket), tls_, std::move(host), deadline);
}

Awaitable<Socket> Connector::connect(std::string host, std::uint16_t port, std::string peer) {
    const auto deadline = Deadline::after(options_.connect_timeout, "looking up");
    const Addresses found = co_await resolver_.resolve(std::move(host), deadline);
    const ConnectLimits limits{.per_address = options_.connect_timeout};
    auto socket = co_await connect_any(alternate_families(found), port, limits, peer);
    log::debug("net", "connected to {}", peer);
    co_return Socket{std::move(socket), std::move(peer), sockets_};
}

/// RFC 9110, section 9.3.6. The proxy has `connect_timeout` to reach the host.
Awaitable<Socket> Connector::open_tunnel(Proxy proxy, Url url) {
    const std::string peer = peer_name(url);
    Socket to_proxy = co_await connect(proxy.host, proxy.port, "proxy " + proxy.name());
    to_proxy.rename(fmt::format("{} through proxy {}", peer, proxy.name()));
    const ExchangeLimits limits{.first_byte_timeout = options_.connect_timeout,
                                .stall_timeout = options_.connect_timeout,
                                .min_speed = 0,
                                .max_header_bytes = options_.max_header_bytes};
    HttpExchange exchange{std::make_unique<TcpStream>(std::move(to_proxy)), limits};
    OutgoingRequest request;
    const RequestStyle style{.user_agent = options_.user_agent,
                             .proxy_authorization = proxy.authorization};
    request.header = format_connect(peer, style);
    request.expects_body = false;
    co_await exchange.run(std::move(request));
    if (exchange.status() / 100 != 2) {
        throw tunnel_refused(peer, proxy.name(), exchange.status());
    }
    auto socket = socket_behind(exchange);
    if (!socket) {
        throw Error{ErrorKind::protocol,
                    fmt::format("the proxy {} sent bytes ahead of the tunnel", proxy.name())};
    }
    co_return std::move(*socket);
}

RequestStyle Connector::style_for(const Url& url) const {
    RequestStyle style{.user_agent = options_.user_agent};
    const Proxy* proxy = proxies_.choose(url);
    if (proxy != nullptr && !url.is_tls()) {
        style.absolute_target = true;
        style.proxy_authorization = proxy->authorization;
    }
    return style;
}

} // namespace wharf::net
