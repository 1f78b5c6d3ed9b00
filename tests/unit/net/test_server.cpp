#include "tests/unit/net/test_server.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <csignal>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace wharf::test {

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

const sockaddr* generic(const void* address) {
    return static_cast<const sockaddr*>(address);
}

int listen_on_v4(int backlog) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(0);
    if (::bind(fd, generic(&address), sizeof address) != 0 || ::listen(fd, backlog) != 0) {
        throw std::runtime_error{"cannot listen"};
    }
    return fd;
}

int listen_on_v6(std::uint16_t port) {
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    address.sin6_addr = in6addr_loopback;
    if (::bind(fd, generic(&address), sizeof address) != 0 || ::listen(fd, 16) != 0) {
        throw std::runtime_error{"cannot listen"};
    }
    return fd;
}

std::uint16_t port_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    ::getsockname(fd, static_cast<sockaddr*>(static_cast<void*>(&address)), &size);
    // sin_port and sin6_port are at the same place.
    return ntohs(static_cast<const sockaddr_in*>(static_cast<const void*>(&address))->sin_port);
}

SSL_CTX* make_context(const ServerTls& tls) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    BIO* text = BIO_new_mem_buf(tls.certificate.certificate.data(), -1);
    X509* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    SSL_CTX_use_certificate(context, certificate);
    X509_free(certificate);
    BIO_free(text);
    text = BIO_new_mem_buf(tls.certificate.key.data(), -1);
    EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
    SSL_CTX_use_PrivateKey(context, key);
    EVP_PKEY_free(key);
    BIO_free(text);
    if (tls.max_version != 0) {
        SSL_CTX_set_cipher_list(context, "DEFAULT@SECLEVEL=0");
        SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context, tls.max_version);
    }
    return context;
}

std::size_t body_length(std::string_view head) {
    constexpr std::string_view name = "\r\nContent-Length: ";
    const auto at = head.find(name);
    std::size_t length = 0;
    if (at != head.npos) {
        const auto digits = head.substr(at + name.size());
        std::from_chars(digits.data(), digits.data() + digits.size(), length);
    }
    return length;
}

} // namespace

Peer::Peer(int fd, ssl_ctx_st* tls) : fd_{fd} {
    if (tls != nullptr) {
        start_tls(tls);
    }
}

Peer::~Peer() {
    close();
}

void Peer::start_tls(ssl_ctx_st* tls) {
    ssl_ = SSL_new(tls);
    SSL_set_fd(ssl_, fd_);
    if (SSL_accept(ssl_) != 1) {
        SSL_free(std::exchange(ssl_, nullptr));
        throw std::runtime_error{"the handshake failed"};
    }
}

long Peer::receive(char* data, std::size_t size) {
    return ssl_ != nullptr ? SSL_read(ssl_, data, static_cast<int>(size))
                           : ::recv(fd_, data, size, 0);
}

std::string Peer::read_request() {
    std::size_t needed = std::string::npos;
    while (buffer_.size() < needed) {
        const auto end = buffer_.find("\r\n\r\n");
        if (end != std::string::npos) {
            needed = end + 4 + body_length(buffer_.substr(0, end + 4));
            if (buffer_.size() >= needed) {
                break;
            }
        }
        char data[4096];
        const long count = receive(data, sizeof data);
        if (count <= 0) {
            return {};
        }
        buffer_.append(data, static_cast<std::size_t>(count));
    }
    std::string request = buffer_.substr(0, needed);
    buffer_.erase(0, needed);
    return request;
}

void Peer::skip(std::size_t count) {
    while (buffer_.size() < count) {
        char data[4096];
        const long more = receive(data, sizeof data);
        if (more <= 0) {
            throw std::runtime_error{"the client has closed"};
        }
        buffer_.append(data, static_cast<std::size_t>(more));
    }
    buffer_.erase(0, count);
}

void Peer::write(std::string_view text) {
    while (!text.empty()) {
        const long count = ssl_ != nullptr
                               ? SSL_write(ssl_, text.data(), static_cast<int>(text.size()))
                               : ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
        if (count <= 0) {
            throw std::runtime_error{"the client has closed"};
        }
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

void Peer::sip() {
    char some[512];
    while (receive(some, sizeof some) > 0) {
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
    }
}

void Peer::sip(std::size_t count, std::size_t few, std::chrono::milliseconds pause) {
    const int size = 64 << 10; // what waits to be read stays little, however long it takes
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    for (std::size_t done = 0; done < count; done += few) {
        skip(std::min(few, count - done));
        std::this_thread::sleep_for(pause);
    }
}

bool Peer::is_resumed() const {
    return SSL_session_reused(ssl_) == 1;
}

void Peer::go_deaf() {
    sock_filter drop_all{BPF_RET | BPF_K, 0, 0, 0};
    const sock_fprog program{1, &drop_all};
    if (::setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0) {
        throw std::runtime_error{"cannot filter a socket"};
    }
}

void Peer::wait_for_close() {
    char data[4096];
    while (receive(data, sizeof data) > 0) {
    }
}

void Peer::close() {
    if (ssl_ != nullptr) {
        SSL_shutdown(ssl_);
    }
    cut();
}

void Peer::cut() {
    SSL_free(std::exchange(ssl_, nullptr));
    if (fd_ >= 0) {
        ::shutdown(std::exchange(fd_, -1), SHUT_RDWR);
    }
}

void Peer::reset() {
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    SSL_free(std::exchange(ssl_, nullptr));
    // The last descriptor must go for the reset to be sent: the server's own is replaced.
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(null, std::exchange(fd_, -1));
    ::close(null);
}

TestServer::TestServer(Script script, const std::optional<ServerTls>& tls,
                       std::optional<std::uint16_t> v6_port)
    : script_{std::move(script)}, tls_{tls ? make_context(*tls) : nullptr},
      tls_at_once_{tls.has_value()}, listener_{v6_port ? listen_on_v6(*v6_port) : listen_on_v4(64)},
      port_{port_of(listener_)}, acceptor_{[this] { accept_all(); }} {}

TestServer::~TestServer() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    ::close(listener_);
    for (const int fd : open_) { // scripts that still wait for the client end
        ::shutdown(fd, SHUT_RDWR);
    }
    for (auto& worker : workers_) {
        worker.join();
    }
    for (const int fd : open_) {
        ::close(fd);
    }
}

void TestServer::Deleter::operator()(ssl_ctx_st* context) const {
    SSL_CTX_free(context);
}

void TestServer::set_inner_tls(const ServerTls& tls) {
    tls_.reset(make_context(tls));
}

std::string TestServer::url(std::string_view target) const {
    return fmt::format("{}:{}{}", tls_at_once_ ? "https://localhost" : "http://127.0.0.1", port_,
                       target);
}

void TestServer::accept_all() {
    for (;;) {
        const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        const int at_once = 1; // or a reset may take back what was written before it
        ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        open_.push_back(fd); // read by others only after this thread has ended
        const int connection = ++connections_;
        workers_.emplace_back([this, fd, connection] { serve(fd, connection); });
    }
}

void TestServer::serve(int fd, int connection) {
    sigset_t broken_pipe; // OpenSSL writes without MSG_NOSIGNAL; the client's thread stays as it is
    sigemptyset(&broken_pipe);
    sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    try {
        Peer peer{fd, tls_at_once_ ? tls_.get() : nullptr};
        script_(peer, connection);
    } catch (const std::exception&) { // the client went away: what tests look at is the client
        ::shutdown(fd, SHUT_RDWR);
    }
}

BlackHole::BlackHole() : listener_{listen_on_v4(0)}, port_{port_of(listener_)} {
    // Connections are made until one is not answered: from then on none is.
    for (int i = 0; i < 64; ++i) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        fillers_.push_back(fd);
        const auto address = loopback(port_);
        static_cast<void>(::connect(fd, generic(&address), sizeof address));
        pollfd ready{fd, POLLOUT, 0};
        if (::poll(&ready, 1, 20) == 0) {
            return;
        }
    }
    throw std::runtime_error{"the queue does not fill"};
}

BlackHole::~BlackHole() {
    for (const int fd : fillers_) {
        ::close(fd);
    }
    ::close(listener_);
}

std::uint16_t unused_port() {
    const int fd = listen_on_v4(1);
    const auto port = port_of(fd);
    ::close(fd);
    return port;
}

std::string answer(std::string_view body, std::string_view fields) {
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), fields,
                       body);
}

} // namespace wharf::test
