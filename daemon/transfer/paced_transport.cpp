#include "daemon/transfer/paced_transport.hpp"

namespace wharf::transfer {

Awaitable<net::HttpResponse> PacedTransport::send(net::HttpRequest request, hub::Account account) {
    const std::string host = request.url.authority();
    for (;;) {
        const auto unit = co_await gate_.pass(host, account.token, account.bucket, note_, longest_);
        if (sending_) {
            sending_();
        }
        net::HttpResponse response = co_await transport_.send(request, account);
        if (answered_) {
            answered_();
        }
        // Who is refused waits and asks the same again: a listing does not start anew for it.
        if (response.status() != 429 || !gate_.is_closed(host, account.token, account.bucket)) {
            co_return response;
        }
    }
}

} // namespace wharf::transfer
