#pragma once

#include <map>
#include <memory>
#include <string>

struct bio_method_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace wharf::net {

/// What all TLS connections of a client share: whom to trust, what is acceptable (TLS 1.2 or newer,
/// the peer's certificate verified), and the sessions by which the next connection to a peer saves
/// its certificates and signatures. One thread.
class TlsContext {
  public:
    /// Trusts the PEM bundle `ca_file` and nothing else, or the system's authorities when it is
    /// empty. Throws an invalid_request Error when the bundle cannot be used.
    explicit TlsContext(const std::string& ca_file);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    ssl_ctx_st* context() const noexcept { return context_.get(); }

    /// How OpenSSL reads and writes a net::Socket: without waiting and without SIGPIPE.
    bio_method_st* socket_method() const noexcept { return socket_method_.get(); }

    /// Prepares a connection to `peer`: it takes up the last session with that very name and port,
    /// if there is one, and leaves its own for the next. The peer's certificate was verified for
    /// the same name when the session began. `peer` must stay while `connection` is used.
    void resume(ssl_st* connection, const std::string& peer);

  private:
    struct Deleter {
        void operator()(ssl_ctx_st* context) const noexcept;
        void operator()(ssl_session_st* session) const noexcept;
        void operator()(bio_method_st* method) const noexcept;
    };
    std::map<std::string, std::unique_ptr<ssl_session_st, Deleter>> sessions_; ///< by peer
    std::unique_ptr<bio_method_st, Deleter> socket_method_;
    std::unique_ptr<ssl_ctx_st, Deleter> context_;

    static int keep_session(ssl_st* connection, ssl_session_st* session) noexcept;
};

} // namespace wharf::net
