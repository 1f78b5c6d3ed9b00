#include "daemon/hub/transport.hpp"

namespace wharf::hub {

Awaitable<net::HttpResponse> HttpTransport::send(net::HttpRequest request, Account account) {
    std::string host = request.url.authority();
    net::HttpResponse response = co_await http_.send(std::move(request));
    if (observer_) {
        observer_(
            quota_news(std::move(host), std::move(account), response.status(), response.headers()));
    }
    co_return response;
}

} // namespace wharf::hub
