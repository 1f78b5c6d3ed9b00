#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/net/headers.hpp"
#include "daemon/net/request_body.hpp"
#include "daemon/net/url.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace wharf::net {

/// How to reach hosts. Every step of the network has its deadline here.
struct HttpOptions {
    std::string user_agent = "wharf";
    /// PEM bundle to trust instead of the system's; empty: the system's as OpenSSL finds it
    /// (SSL_CERT_FILE and SSL_CERT_DIR count).
    std::string ca_file;
    /// "http://[user:password@]host:port"; empty: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY.
    std::string proxy;
    /// Comma-separated hosts (with all below them), addresses, networks ("10.0.0.0/8"), each with
    /// an optional port, or "*"; empty: NO_PROXY.
    std::string no_proxy;
    std::chrono::milliseconds connect_timeout{10'000}; ///< one address; names with several get more
    std::chrono::milliseconds tls_timeout{10'000};
    std::chrono::milliseconds first_byte_timeout{
        60'000}; ///< peer has the request until final header
    /// A body (either one) for which we have waited so long must have moved this many bytes per
    /// second meanwhile, or it is given up. 0: at least one byte in that time.
    std::chrono::milliseconds stall_timeout{30'000};
    std::uint64_t min_speed = 1 << 10;
    std::chrono::milliseconds idle_timeout{30'000}; ///< how long unused connections are kept
    std::size_t max_idle_per_host = 32;
    std::size_t max_header_bytes = 64 << 10;
};

struct HttpRequest {
    std::string method = "GET"; ///< any but CONNECT
    Url url;
    /// What frames the message (Host, Connection, Content-Length, ...) is the client's to set and
    /// refused here. Without a User-Agent the options' is sent, without an Accept-Encoding
    /// "identity": bodies are handed on as they come.
    Headers headers;
    /// What follows the header: a text, or else a stream. A copy of the request shares the stream,
    /// so only one of them may be under way at a time.
    std::string body;
    std::shared_ptr<RequestBody> stream;
};

/// An answer whose body is still on the wire. Belongs to the client's thread. When it is destroyed
/// with the body read to its end the connection goes back to the pool, else it is closed.
class HttpResponse {
  public:
    /// What reads bodies; implemented by the client's connections.
    class Body {
      public:
        virtual ~Body() = default;
        virtual Awaitable<std::size_t> read_some(std::span<std::byte> buffer) = 0;
    };

    HttpResponse(unsigned status, Headers headers, std::unique_ptr<Body> body);
    HttpResponse(HttpResponse&&) noexcept;
    HttpResponse& operator=(HttpResponse&&) noexcept;
    ~HttpResponse();

    unsigned status() const noexcept { return status_; }
    const Headers& headers() const noexcept { return headers_; }

    /// The announced length; none for chunked bodies and those that end with the connection.
    std::optional<std::uint64_t> content_length() const;

    /// Reads at least one byte into `buffer`; 0 at the body's proper end. Throws network Errors
    /// when the connection breaks, stalls, or ends before the announced length.
    Awaitable<std::size_t> read_some(std::span<std::byte> buffer);

    /// The whole body. Throws a protocol Error when it is longer than `limit` bytes.
    Awaitable<std::string> read_all(std::size_t limit);

  private:
    unsigned status_;
    Headers headers_;
    std::unique_ptr<Body> body_;
};

/// HTTP/1.1 over TCP or TLS with a pool of kept connections per host. Redirects are answers like
/// any other: following them, and deciding what may follow, is the caller's work. Belongs to the
/// one thread of its executor; responses must not outlive it.
class HttpClient {
  public:
    /// Throws an invalid_request Error when the CA file or the proxy is unusable.
    HttpClient(Executor executor, HttpOptions options);
    ~HttpClient();

    /// Sends the request and returns once the final header (interim 1xx answers are skipped) has
    /// come: it may come, and the sending then ends, before the body has been sent. A kept
    /// connection that the peer closed before answering is replaced once, silently, when the
    /// request may be sent again (GET, HEAD, PUT). Throws network Errors (connect, TLS, time),
    /// protocol Errors for answers that are not HTTP or over the limits, and what the body throws.
    Awaitable<HttpResponse> send(HttpRequest request);

    /// After the machine slept or its network changed: closes all unused connections, forgets
    /// addresses, and has those in use checked. Requests whose peer is gone fail with a network
    /// Error in about `within`; the others go on.
    void distrust_connections(std::chrono::seconds within = std::chrono::seconds{5}) noexcept;

    /// Bytes received from all peers, and sent to them, so far. Any thread.
    std::uint64_t bytes_received() const noexcept;
    std::uint64_t bytes_sent() const noexcept;

  private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

} // namespace wharf::net
