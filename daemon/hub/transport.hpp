#pragma once

#include "daemon/net/http_client.hpp"

namespace wharf::hub {

/// What the Hub's protocol needs of the network: one request, one answer, redirects not followed.
/// Errors as net::HttpClient::send has them.
class Transport {
  public:
    virtual ~Transport() = default;
    virtual Awaitable<net::HttpResponse> send(net::HttpRequest request) = 0;
};

/// The real network. Requires: the client outlives this.
class HttpTransport final : public Transport {
  public:
    explicit HttpTransport(net::HttpClient& http) : http_{http} {}
    Awaitable<net::HttpResponse> send(net::HttpRequest request) override {
        return http_.send(std::move(request));
    }

  private:
    net::HttpClient& http_;
};

} // namespace wharf::hub
