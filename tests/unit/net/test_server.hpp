#pragma once

#include "tests/unit/net/certificates.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

struct ssl_ctx_st;
struct ssl_st;

namespace wharf::test {

/// The server's side of one connection, used by a script that may block.
class Peer {
  public:
    Peer(int fd, ssl_ctx_st* tls);
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    ~Peer();

    /// The next request up to the empty line and, with a Content-Length, its body. Empty when the
    /// client has closed.
    std::string read_request();

    /// The next so many bytes, whatever they are.
    void skip(std::size_t count);

    void write(std::string_view text);

    /// Reads little by little until the client closes, or so many bytes with a pause after each
    /// few.
    void sip();
    void sip(std::size_t count, std::size_t few, std::chrono::milliseconds pause);

    /// From here on nothing that the client's machine sends arrives, not even a question whether
    /// we are there: as if a cable had been pulled.
    void go_deaf();

    /// Reads until the client closes.
    void wait_for_close();

    /// Ends the connection: with TLS's close, without it, or with a reset.
    void close();
    void cut();
    void reset();

    /// Whether TLS went on with a session of an earlier connection.
    bool is_resumed() const;

    /// From here on the connection is the TLS server of a tunnel.
    void start_tls(ssl_ctx_st* tls);

  private:
    std::string buffer_;
    int fd_;
    ssl_st* ssl_ = nullptr;

    long receive(char* data, std::size_t size);
};

struct ServerTls {
    Certificate certificate;
    int max_version = 0; ///< 0: the newest
};

/// A server on a loopback port that runs a script for each connection on a thread of its own.
class TestServer {
  public:
    /// `connection` counts from 1.
    using Script = std::function<void(Peer& peer, int connection)>;

    /// Listens on 127.0.0.1, or on this port of ::1.
    explicit TestServer(Script script, const std::optional<ServerTls>& tls = std::nullopt,
                        std::optional<std::uint16_t> v6_port = std::nullopt);
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;
    ~TestServer();

    std::uint16_t port() const noexcept { return port_; }
    int connections() const noexcept { return connections_; }

    /// "http://127.0.0.1:port/x" or "https://localhost:port/x".
    std::string url(std::string_view target = "/x") const;

    /// For scripts that start TLS by themselves.
    ssl_ctx_st* tls() const noexcept { return tls_.get(); }
    void set_inner_tls(const ServerTls& tls);

  private:
    struct Deleter {
        void operator()(ssl_ctx_st* context) const;
    };
    Script script_;
    std::unique_ptr<ssl_ctx_st, Deleter> tls_;
    bool tls_at_once_ = false;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<int> connections_ = 0;
    std::vector<std::thread> workers_;
    std::vector<int> open_;
    std::thread acceptor_;

    void accept_all();
    void serve(int fd, int connection);
};

/// A port that takes no connection and refuses none: its queue is full.
class BlackHole {
  public:
    BlackHole();
    BlackHole(const BlackHole&) = delete;
    BlackHole& operator=(const BlackHole&) = delete;
    ~BlackHole();
    std::uint16_t port() const noexcept { return port_; }

  private:
    int listener_ = -1;
    std::vector<int> fillers_;
    std::uint16_t port_ = 0;
};

/// A loopback port on which nobody listens.
std::uint16_t unused_port();

/// An answer with this body and a Content-Length.
std::string answer(std::string_view body, std::string_view fields = "");

} // namespace wharf::test
