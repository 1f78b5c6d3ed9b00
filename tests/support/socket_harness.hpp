#pragma once

#include "base/unique_fd.hpp"
#include "daemon/service/server.hpp"
#include "protocol/fd_passing.hpp"
#include "protocol/frame.hpp"
#include "protocol/message.hpp"
#include "tests/support/demo_service.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <utility>
#include <vector>

namespace wharf::test {

/// A server of the demo interface and its clients on one thread: what waits for the server runs the
/// server's loop meanwhile.
class Harness {
  public:
    explicit Harness(
        service::ServerOptions options = {},
        service::Admit admit =
            [](const access::Peer&) { return access::Rights{true, true, true, false}; })
        : server{context.get_executor(), demo.dispatcher(), options, std::move(admit)} {}
    ~Harness() { run_to_end(server.drain(std::chrono::milliseconds{0})); }
    Harness(const Harness&) = delete;
    Harness& operator=(const Harness&) = delete;

    /// Runs the loop until the condition holds; fails the test when it does not in five seconds.
    template <typename Condition>
    void run_until(Condition condition) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{5};
        while (!condition()) {
            REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline, "nothing happens");
            step();
        }
    }

    /// Runs all that is ready, and nothing that would have to wait.
    void run_ready() {
        context.restart();
        while (context.poll() > 0) {
            context.restart();
        }
    }

    void run_to_end(Awaitable<> task) {
        async::TaskGroup group{context.get_executor()};
        group.spawn("test", std::move(task));
        run_until([&] { return group.size() == 0; });
    }

    asio::io_context context;
    DemoState state;
    DemoService demo{state};
    service::Server server;

  private:
    void step() {
        context.restart();
        context.run_one_for(std::chrono::milliseconds{20});
    }
};

/// A client that writes and reads bytes, so that it can misbehave.
class RawClient {
  public:
    /// A connection to the harness's server.
    explicit RawClient(Harness& harness) : harness_{harness} {
        int fds[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
        fd = UniqueFd{adopt_fd, fds[0]};
        harness.server.serve(UniqueFd{adopt_fd, fds[1]});
    }

    void send(std::string_view bytes, std::vector<UniqueFd> attached = {}) {
        while (!bytes.empty()) {
            const auto result = protocol::send_some(fd.value(), bytes, attached);
            if (result.error_number == EAGAIN) {
                harness_.run_ready();
                continue;
            }
            REQUIRE(result.error_number == 0);
            bytes.remove_prefix(result.bytes);
            attached.clear();
        }
    }

    /// `{"method":"org.example.demo.<method>","parameters":<parameters><flags>}` and its NUL.
    static std::string message(std::string_view method, std::string_view parameters = "{}",
                               std::string_view flags = "") {
        std::string text = R"({"method":"org.example.demo.)";
        text.append(method).append(R"(","parameters":)").append(parameters).append(flags);
        text.push_back('}');
        text.push_back('\0');
        return text;
    }

    /// The next answer; nothing when the server has closed the connection.
    std::optional<protocol::Reply> read() {
        std::optional<protocol::Frame> frame = reader_.next().value();
        harness_.run_until([&] {
            while (!frame && receive()) {
                frame = reader_.next().value();
            }
            return frame || ended_;
        });
        if (!frame) {
            return std::nullopt;
        }
        descriptors = std::move(frame->descriptors);
        return protocol::decode_reply(frame->text).value();
    }

    protocol::Reply call(std::string_view method, std::string_view parameters = "{}",
                         std::string_view flags = "") {
        send(message(method, parameters, flags));
        auto reply = read();
        REQUIRE(reply);
        return std::move(*reply);
    }

    bool is_closed_by_server() {
        const auto reply = read();
        return !reply;
    }

    UniqueFd fd;
    std::vector<UniqueFd> descriptors; ///< of the answer that was read last

  private:
    bool receive() {
        char buffer[4096];
        std::vector<UniqueFd> received;
        const auto result = protocol::receive_some(fd.value(), buffer, &received);
        ended_ = ended_ || (result.error_number == 0 && result.bytes == 0) ||
                 result.error_number == ECONNRESET;
        reader_.append({buffer, result.bytes}, std::move(received));
        return result.bytes > 0;
    }

    Harness& harness_;
    protocol::FrameReader reader_;
    bool ended_ = false;
};

inline boost::json::value parse(std::string_view text) {
    return boost::json::parse({text.data(), text.size()});
}

} // namespace wharf::test
