#pragma once

#include <memory>
#include <string>

struct bio_method_st;
struct ssl_ctx_st;

namespace wharf::net {

/// What all TLS connections of a client share: whom to trust, and what is acceptable (TLS 1.2 or
/// newer, the peer's certificate verified). One thread.
class TlsContext {
  public:
    /// Trusts the PEM bundle `ca_file` and nothing else, or the system's authorities when it is
    /// empty. Throws an invalid_request Error when the bundle cannot be used.
    explicit TlsContext(const std::string& ca_file);
    ~TlsContext();

    ssl_ctx_st* context() const noexcept { return context_.get(); }

    /// How OpenSSL reads and writes a net::Socket: without waiting and without SIGPIPE.
    bio_method_st* socket_method() const noexcept { return socket_method_.get(); }

  private:
    struct Deleter {
        void operator()(ssl_ctx_st* context) const noexcept;
        void operator()(bio_method_st* method) const noexcept;
    };
    std::unique_ptr<bio_method_st, Deleter> socket_method_;
    std::unique_ptr<ssl_ctx_st, Deleter> context_;
};

} // namespace wharf::net
