#pragma once

#include "daemon/hub/quota.hpp"
#include "daemon/net/http_client.hpp"

namespace wharf::hub {

/// What the Hub's protocol needs of the network: one request, one answer, redirects not followed.
class Transport {
  public:
    virtual ~Transport() = default;

    /// Errors as net::HttpClient::send has them. `account`: whose quota it is counted under.
    virtual Awaitable<net::HttpResponse> send(net::HttpRequest request, Account account) = 0;
};

/// The real network; tells `observer` what each answer says of quotas. Requires: the client
/// outlives this.
class HttpTransport final : public Transport {
  public:
    explicit HttpTransport(net::HttpClient& http, QuotaObserver observer = {})
        : http_{http}, observer_{std::move(observer)} {}

    Awaitable<net::HttpResponse> send(net::HttpRequest request, Account account) override;

  private:
    net::HttpClient& http_;
    QuotaObserver observer_;
};

} // namespace wharf::hub
