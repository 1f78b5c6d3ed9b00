#include "daemon/hub/transport.hpp"

namespace wharf::hub {

Awaitable<net::HttpResponse> HttpTransport::send(net::HttpRequest request, Account account) {
    QuotaNews news{.host = request.url.authority(),
                   .account = std::move(account),
                   .at = {},
                   .refused = false,
                   .left = {},
                   .wait = {}};
    net::HttpResponse response = co_await http_.send(std::move(request));
    if (observer_) {
        news.at = BootClock::now();
        news.refused = response.status() == 429;
        news.left = quota_left(response.headers());
        if (news.refused) {
            news.wait = wait_asked(response.headers(), std::chrono::system_clock::now());
        }
        observer_(news);
    }
    co_return response;
}

} // namespace wharf::hub
