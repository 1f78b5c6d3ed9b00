#include "daemon/transfer/paced_transport.hpp"

namespace wharf::transfer {

Awaitable<net::HttpResponse> PacedTransport::send(net::HttpRequest request, hub::Account account) {
    const auto unit = co_await gate_.pass(request.url.authority(), account.token, account.bucket,
                                          note_, longest_);
    if (sending_) {
        sending_();
    }
    net::HttpResponse response = co_await transport_.send(std::move(request), std::move(account));
    co_return response;
}

} // namespace wharf::transfer
