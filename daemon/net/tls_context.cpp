#include "daemon/net/tls_context.hpp"

#include "base/error.hpp"
#include "daemon/net/socket.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <cerrno>
#include <new>

namespace wharf::net {

namespace {

/// One read from the kernel takes up to this much, four records: the flat part of the curve.
constexpr std::size_t read_ahead_bytes = 64 << 10;

/// Peers that a daemon talks to are few.
constexpr std::size_t most_sessions = 64;

Socket& socket_of(BIO* bio) noexcept {
    return *static_cast<Socket*>(BIO_get_data(bio));
}

bool would_block() noexcept {
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

int bio_read(BIO* bio, char* data, int size) {
    BIO_clear_retry_flags(bio);
    const std::span<char> buffer{data, static_cast<std::size_t>(size)};
    const ssize_t count = socket_of(bio).receive(std::as_writable_bytes(buffer));
    if (count < 0 && would_block()) {
        BIO_set_retry_read(bio);
    }
    if (count == 0) {
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    }
    return static_cast<int>(count);
}

int bio_write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    const ssize_t count = socket_of(bio).send({data, static_cast<std::size_t>(size)});
    if (count < 0 && would_block()) {
        BIO_set_retry_write(bio);
    }
    return static_cast<int>(count);
}

long bio_control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) {
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    }
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* make_socket_method() {
    BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wharf socket");
    if (method == nullptr) {
        throw std::bad_alloc{};
    }
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    return method;
}

void trust(SSL_CTX* context, const std::string& ca_file) {
    ERR_clear_error();
    if (ca_file.empty()) {
        SSL_CTX_set_default_verify_paths(context);
    } else if (SSL_CTX_load_verify_locations(context, ca_file.c_str(), nullptr) != 1) {
        const char* reason = ERR_reason_error_string(ERR_peek_error());
        throw Error{ErrorKind::invalid_request,
                    fmt::format("cannot use the CA file {}: {}", ca_file,
                                reason == nullptr ? "not a PEM bundle" : reason),
                    "[hub] ca_file must name a readable file with PEM certificates"};
    }
}

} // namespace

TlsContext::TlsContext(const std::string& ca_file)
    : socket_method_{make_socket_method()}, context_{SSL_CTX_new(TLS_client_method())} {
    SSL_CTX* context = context_.get();
    if (context == nullptr) {
        throw std::bad_alloc{};
    }
    trust(context, ca_file);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_set_session_cache_mode(context,
                                   SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, keep_session);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, read_ahead_bytes);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    constexpr std::array<unsigned char, 9> protocols{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(context, protocols.data(), protocols.size());
}

TlsContext::~TlsContext() = default;

void TlsContext::resume(SSL* connection, const std::string& peer) {
    SSL_set_app_data(connection, const_cast<std::string*>(&peer));
    const auto known = sessions_.find(peer);
    if (known != sessions_.end()) {
        SSL_set_session(connection, known->second.get()); // or begins anew, if it cannot
    }
}

/// OpenSSL has a session for later: with TLS 1.3 whenever the peer sends a ticket. True when it is
/// ours now.
int TlsContext::keep_session(SSL* connection, SSL_SESSION* session) noexcept {
    auto& sessions =
        static_cast<TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(connection)))->sessions_;
    const auto* peer = static_cast<const std::string*>(SSL_get_app_data(connection));
    if (peer == nullptr) {
        return 0;
    }
    try {
        if (sessions.size() >= most_sessions && !sessions.contains(*peer)) {
            sessions.erase(sessions.begin());
        }
        sessions[*peer].reset(session);
        return 1;
    } catch (const std::bad_alloc&) { // the next connection takes a little longer
        return 0;
    }
}

void TlsContext::Deleter::operator()(ssl_ctx_st* context) const noexcept {
    SSL_CTX_free(context);
}

void TlsContext::Deleter::operator()(ssl_session_st* session) const noexcept {
    SSL_SESSION_free(session);
}

void TlsContext::Deleter::operator()(bio_method_st* method) const noexcept {
    BIO_meth_free(method);
}

} // namespace wharf::net
