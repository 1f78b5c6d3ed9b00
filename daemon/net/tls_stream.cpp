// OpenSSL works on the non-blocking socket through a BIO of ours (tls_context.cpp); when it wants
// to read or write, the coroutine waits and calls it again. One read_some takes as many records as
// have come or fit, so a reader with a large buffer is woken seldom.

#include "daemon/net/tls_stream.hpp"

#include "daemon/net/ip_text.hpp"
#include "daemon/net/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cassert>
#include <cerrno>
#include <new>
#include <utility>

namespace wharf::net {

namespace {

struct SslDeleter {
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};

class TlsStream final : public Stream {
  public:
    TlsStream(Socket socket, TlsContext& context, std::string host);
    TlsStream(const TlsStream&) = delete;
    TlsStream& operator=(const TlsStream&) = delete;
    ~TlsStream() override;

    Awaitable<> handshake(Deadline deadline);
    Awaitable<std::size_t> read_some(std::span<std::byte> buffer, Deadline deadline) override;
    Awaitable<std::size_t> write_some(std::string_view data, Deadline deadline) override;
    bool is_quiet() noexcept override;
    std::size_t unacknowledged() const noexcept override { return socket_.unacknowledged(); }
    Awaitable<> wait_for_peer(std::chrono::milliseconds longest) override {
        return socket_.wait_for_peer(longest);
    }
    const std::string& peer() const noexcept override { return socket_.peer(); }

  private:
    /// What OpenSSL needs before it can go on.
    enum class Wants { nothing, to_read, to_write, end, failed };

    Socket socket_;
    std::string host_;
    std::unique_ptr<SSL, SslDeleter> ssl_;
    bool is_open_ = false; ///< the handshake is done and nothing has failed since
    std::string failure_;  ///< why reading is over; empty: it is not

    void expect_host();
    std::size_t read_records(std::span<std::byte> buffer, Wants& wants);
    Wants judge(int result, std::string_view step);
    Awaitable<> satisfy(Wants wants, Deadline deadline);
    Error handshake_error() const;
};

TlsStream::TlsStream(Socket socket, TlsContext& context, std::string host)
    : socket_{std::move(socket)}, host_{std::move(host)}, ssl_{SSL_new(context.context())} {
    BIO* bio = BIO_new(context.socket_method());
    if (!ssl_ || bio == nullptr) {
        BIO_free(bio);
        throw std::bad_alloc{};
    }
    BIO_set_data(bio, &socket_);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl_.get(), bio, bio); // takes it over
    expect_host();
    context.resume(ssl_.get(), peer());
}

TlsStream::~TlsStream() {
    if (is_open_) { // tells the peer that nothing was cut off; does not wait for its answer
        ERR_clear_error();
        SSL_shutdown(ssl_.get());
        ERR_clear_error();
    }
}

/// RFC 6066: no server name for addresses; and RFC 9110, section 4.3.5: the certificate must then
/// name the address itself.
void TlsStream::expect_host() {
    X509_VERIFY_PARAM* expected = SSL_get0_param(ssl_.get());
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool accepted = false;
    if (parse_ip(host_)) {
        accepted = X509_VERIFY_PARAM_set1_ip_asc(expected, host_.c_str()) == 1;
    } else {
        const std::string name = host_.ends_with('.') ? host_.substr(0, host_.size() - 1) : host_;
        accepted = X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size()) == 1 &&
                   SSL_set_tlsext_host_name(ssl_.get(), name.c_str()) == 1;
    }
    if (!accepted) { // an unverified connection must never come of it
        throw Error{ErrorKind::network, fmt::format("cannot verify TLS for the host {}", host_)};
    }
}

Awaitable<> TlsStream::handshake(Deadline deadline) {
    for (;;) {
        ERR_clear_error();
        const int result = SSL_connect(ssl_.get());
        if (result == 1) {
            break;
        }
        const int error = SSL_get_error(ssl_.get(), result);
        if (error == SSL_ERROR_WANT_READ) {
            co_await socket_.wait_readable(deadline);
        } else if (error == SSL_ERROR_WANT_WRITE) {
            co_await socket_.wait_writable(deadline);
        } else {
            throw handshake_error();
        }
    }
    is_open_ = true;
}

Error TlsStream::handshake_error() const {
    const int error_number = errno;
    const unsigned long code = ERR_peek_error();
    const long verdict = SSL_get_verify_result(ssl_.get());
    if (verdict != X509_V_OK) {
        const bool by_time =
            verdict == X509_V_ERR_CERT_HAS_EXPIRED || verdict == X509_V_ERR_CERT_NOT_YET_VALID;
        const bool by_name =
            verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
        const char* hint = "if your site has its own certificate authority, set [hub] ca_file to "
                           "its PEM file";
        hint = by_time ? "check the clock of this machine and the server's certificate" : hint;
        hint = by_name ? "check the host's name and the proxy settings" : hint;
        Error refused{ErrorKind::network,
                      fmt::format("the certificate of {} is refused: {}", peer(),
                                  X509_verify_cert_error_string(verdict)),
                      hint};
        return refused.set_lasting();
    }
    const char* reason = ERR_reason_error_string(code);
    std::string why = "the peer closed the connection";
    if (reason != nullptr) {
        why = reason;
    } else if (error_number != 0 && BIO_eof(SSL_get_rbio(ssl_.get())) == 0) {
        why = describe({error_number, boost::system::system_category()});
    }
    return Error{ErrorKind::network, fmt::format("TLS handshake with {} failed: {}", peer(), why),
                 "the server must speak TLS 1.2 or newer on this port"};
}

/// Judges a call that did not succeed; of a failure it keeps the text.
TlsStream::Wants TlsStream::judge(int result, std::string_view step) {
    const int error_number = errno;
    const int error = SSL_get_error(ssl_.get(), result);
    if (error == SSL_ERROR_WANT_READ) {
        return Wants::to_read;
    }
    if (error == SSL_ERROR_WANT_WRITE) {
        return Wants::to_write;
    }
    if (error == SSL_ERROR_ZERO_RETURN) {
        return Wants::end;
    }
    is_open_ = false;
    const char* reason = ERR_reason_error_string(ERR_peek_error());
    if (BIO_eof(SSL_get_rbio(ssl_.get())) != 0) {
        failure_ = fmt::format("{} {}: cut off without a TLS close", step, peer());
    } else if (error == SSL_ERROR_SYSCALL && error_number != 0) {
        failure_ = socket_.lost(step, error_number).message();
    } else {
        failure_ = fmt::format("{} {}: TLS failed: {}", step, peer(),
                               reason == nullptr ? "unknown reason" : reason);
    }
    return Wants::failed;
}

/// Waits for what OpenSSL needs, or throws ConnectionLost when it is past helping.
Awaitable<> TlsStream::satisfy(Wants wants, Deadline deadline) {
    if (wants == Wants::failed) {
        throw ConnectionLost{failure_};
    }
    if (wants == Wants::end) {
        throw ConnectionLost{fmt::format("sending to {}: the peer has closed", peer())};
    }
    return wants == Wants::to_write ? socket_.wait_writable(deadline)
                                    : socket_.wait_readable(deadline);
}

/// Reads until the buffer is full or OpenSSL cannot go on. What stops it after the first byte is
/// met again at the next call.
std::size_t TlsStream::read_records(std::span<std::byte> buffer, Wants& wants) {
    std::size_t filled = 0;
    wants = failure_.empty() ? Wants::nothing : Wants::failed;
    while (filled < buffer.size() && wants == Wants::nothing) {
        std::size_t count = 0;
        ERR_clear_error();
        errno = 0;
        const int result =
            SSL_read_ex(ssl_.get(), buffer.data() + filled, buffer.size() - filled, &count);
        filled += count;
        if (result != 1) {
            wants = judge(result, "reading from");
        }
    }
    return filled;
}

Awaitable<std::size_t> TlsStream::read_some(std::span<std::byte> buffer, Deadline deadline) {
    assert(!buffer.empty());
    for (;;) {
        Wants wants{};
        const std::size_t count = read_records(buffer, wants);
        if (count > 0 || wants == Wants::end) {
            if (socket_.owes_turn()) {
                co_await socket_.yield();
            }
            co_return count;
        }
        co_await satisfy(wants, deadline);
    }
}

/// OpenSSL wants the same bytes again after it had to wait: the caller's data stay where they are.
Awaitable<std::size_t> TlsStream::write_some(std::string_view data, Deadline deadline) {
    assert(!data.empty());
    for (;;) {
        std::size_t count = 0;
        ERR_clear_error();
        errno = 0;
        const int result = SSL_write_ex(ssl_.get(), data.data(), data.size(), &count);
        if (result == 1) {
            if (socket_.owes_turn()) {
                co_await socket_.yield();
            }
            co_return count;
        }
        const Wants wants = judge(result, "sending to");
        if (wants == Wants::failed) { // what had come before can still be read
            throw ConnectionLost{std::exchange(failure_, {})};
        }
        co_await satisfy(wants, deadline);
    }
}

/// Peeking also takes in what is no answer, such as session tickets that come late.
bool TlsStream::is_quiet() noexcept {
    char byte = 0;
    std::size_t count = 0;
    ERR_clear_error();
    const int result = SSL_peek_ex(ssl_.get(), &byte, 1, &count);
    const bool waits = result != 1 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return waits;
}

} // namespace

Awaitable<std::unique_ptr<Stream>> open_tls(Socket socket, TlsContext& context, std::string host,
                                            Deadline deadline) {
    auto stream = std::make_unique<TlsStream>(std::move(socket), context, std::move(host));
    co_await stream->handshake(deadline);
    co_return std::unique_ptr<Stream>{std::move(stream)};
}

} // namespace wharf::net
