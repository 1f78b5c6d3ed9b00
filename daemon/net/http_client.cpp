#include "daemon/net/http_client.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "base/secret.hpp"
#include "daemon/net/connection_pool.hpp"
#include "daemon/net/connector.hpp"
#include "daemon/net/http_exchange.hpp"

#include <fmt/format.h>

#include <cassert>

namespace wharf::net {

/// Shared with requests under way and with responses, whose connections refer to it.
struct HttpClient::Impl : std::enable_shared_from_this<Impl> {
    Impl(const Executor& executor, HttpOptions chosen)
        : options{std::move(chosen)}, connector{executor, options, sockets},
          pool{std::make_shared<ConnectionPool>(
              executor, ConnectionPool::Limits{.per_origin = options.max_idle_per_host,
                                               .idle_timeout = options.idle_timeout})} {}

    const HttpOptions options;
    const std::shared_ptr<OpenSockets> sockets = std::make_shared<OpenSockets>();
    Connector connector;
    std::shared_ptr<ConnectionPool> pool;
    std::size_t responses = 0; ///< alive

    class ResponseBody;

    static Awaitable<HttpResponse> send(std::shared_ptr<Impl> self, HttpRequest request);

  private:
    std::unique_ptr<HttpExchange> begin(std::unique_ptr<Stream> stream) const;
    HttpResponse respond(std::unique_ptr<HttpExchange> exchange, std::string origin);
};

/// Gives the connection back at the end, if it is worth it.
class HttpClient::Impl::ResponseBody final : public HttpResponse::Body {
  public:
    ResponseBody(std::shared_ptr<Impl> client, std::unique_ptr<HttpExchange> exchange,
                 std::string origin)
        : client_{std::move(client)}, exchange_{std::move(exchange)}, origin_{std::move(origin)} {
        ++client_->responses;
    }
    ResponseBody(const ResponseBody&) = delete;
    ResponseBody& operator=(const ResponseBody&) = delete;

    ~ResponseBody() override {
        --client_->responses;
        if (exchange_->is_reusable()) {
            client_->pool->keep(origin_, exchange_->take_stream());
        }
    }

    Awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        return exchange_->read_some(buffer);
    }

  private:
    std::shared_ptr<Impl> client_; // outlives the connection, which uses its TLS context
    std::unique_ptr<HttpExchange> exchange_;
    std::string origin_;
};

namespace {

std::string origin_of(const Url& url) {
    return fmt::format("{}://{}", url.scheme, url.authority());
}

/// What may be sent a second time when it is not known whether the first was seen: of the
/// idempotent methods (RFC 9110, section 9.2.2) those that we use.
bool may_repeat(const std::string& method) noexcept {
    return method == "GET" || method == "HEAD" || method == "PUT";
}

std::shared_ptr<RequestBody> take_body(HttpRequest& request) {
    return request.body.empty() ? std::move(request.stream) : make_body(std::move(request.body));
}

} // namespace

Awaitable<HttpResponse> HttpClient::Impl::send(std::shared_ptr<Impl> self, HttpRequest request) {
    OutgoingRequest outgoing;
    const ScopeExit forget{[&] { wipe(outgoing.header); }}; // it may hold a token
    outgoing.header = format_request(request, self->connector.style_for(request.url)).value();
    outgoing.expects_body = request.method != "HEAD";
    outgoing.body = take_body(request);
    std::string origin = origin_of(request.url);
    std::unique_ptr<HttpExchange> exchange;
    if (auto kept = self->pool->take(origin)) {
        exchange = self->begin(std::move(kept));
        const bool repeatable = may_repeat(request.method);
        OutgoingRequest first = repeatable ? outgoing : std::move(outgoing);
        try {
            co_await exchange->run(std::move(first));
        } catch (const ConnectionLost& lost) {
            if (!repeatable || exchange->answer_begun()) {
                throw;
            }
            log::debug("net", "{}; trying once more", lost.message());
            exchange.reset();
        }
    }
    if (!exchange) {
        auto fresh = co_await self->connector.open(request.url);
        exchange = self->begin(std::move(fresh));
        co_await exchange->run(std::move(outgoing));
    }
    co_return self->respond(std::move(exchange), std::move(origin));
}

std::unique_ptr<HttpExchange> HttpClient::Impl::begin(std::unique_ptr<Stream> stream) const {
    const ExchangeLimits limits{.first_byte_timeout = options.first_byte_timeout,
                                .stall_timeout = options.stall_timeout,
                                .min_speed = options.min_speed,
                                .max_header_bytes = options.max_header_bytes};
    return std::make_unique<HttpExchange>(std::move(stream), limits);
}

HttpResponse HttpClient::Impl::respond(std::unique_ptr<HttpExchange> exchange, std::string origin) {
    const unsigned status = exchange->status();
    Headers headers = std::move(exchange->headers());
    return {
        status, std::move(headers),
        std::make_unique<ResponseBody>(shared_from_this(), std::move(exchange), std::move(origin))};
}

HttpClient::HttpClient(Executor executor, HttpOptions options)
    : impl_{std::make_shared<Impl>(executor, std::move(options))} {}

HttpClient::~HttpClient() {
    assert(impl_->responses == 0 && "responses must not outlive their client");
    impl_->pool->clear();
}

Awaitable<HttpResponse> HttpClient::send(HttpRequest request) {
    return Impl::send(impl_, std::move(request));
}

void HttpClient::distrust_connections(std::chrono::seconds within) noexcept {
    impl_->pool->clear();
    impl_->connector.forget_addresses();
    impl_->sockets->probe(within);
}

std::uint64_t HttpClient::bytes_received() const noexcept {
    return impl_->sockets->received();
}

std::uint64_t HttpClient::bytes_sent() const noexcept {
    return impl_->sockets->sent();
}

} // namespace wharf::net
