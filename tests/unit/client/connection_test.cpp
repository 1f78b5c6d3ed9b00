#include "client/lib/connection.hpp"
#include "protocol/fd_passing.hpp"

#include <boost/json/parse.hpp>
#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace std::string_literals;
using wharf::UniqueFd;
using wharf::client::CallOptions;
using wharf::client::Connection;
using wharf::client::DaemonUnreachable;
using wharf::client::RemoteError;
using wharf::client::Reply;
namespace json = boost::json;

namespace {

/// The daemon's end of a connection: what it says is said before it is asked.
class Script {
  public:
    Script() {
        int fds[2] = {-1, -1};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
        daemon = UniqueFd{wharf::adopt_fd, fds[0]};
        client_ = UniqueFd{wharf::adopt_fd, fds[1]};
    }

    Connection connection() { return Connection{std::move(client_), "the script"}; }

    void say(const std::string& text, std::vector<UniqueFd> attached = {}) {
        const std::string frame = text + '\0';
        REQUIRE(wharf::protocol::send_some(daemon.value(), frame, attached).bytes == frame.size());
    }

    /// The next call that came, and its descriptors in `descriptors`.
    std::string heard() {
        char buffer[4096];
        while (true) {
            if (auto frame = reader_.next().value()) {
                descriptors = std::move(frame->descriptors);
                return frame->text;
            }
            std::vector<UniqueFd> list;
            const auto result = wharf::protocol::receive_some(daemon.value(), buffer, &list);
            if (result.bytes == 0) {
                return "";
            }
            reader_.append({buffer, result.bytes}, std::move(list));
        }
    }

    UniqueFd daemon;
    std::vector<UniqueFd> descriptors;

  private:
    UniqueFd client_;
    wharf::protocol::FrameReader reader_;
};

bool is_closed(Connection& connection) {
    try {
        connection.call("a.b.C");
    } catch (const DaemonUnreachable&) {
        return true;
    } catch (const wharf::Error&) {
        return false;
    }
    return false;
}

} // namespace

TEST_CASE("a call is sent and its answer comes back") {
    Script script;
    Connection connection = script.connection();
    script.say(R"({"parameters":{"x":1}})");
    const Reply reply = connection.call("a.b.C", {{"y", 2}});
    CHECK(script.heard() == R"({"method":"a.b.C","parameters":{"y":2}})");
    CHECK(reply.parameters.at("x").as_int64() == 1);
    CHECK_FALSE(reply.continues);
    script.say("{}");
    CHECK(connection.call("a.b.D").parameters.empty());
}

TEST_CASE("a typed error is thrown and the connection goes on") {
    Script script;
    Connection connection = script.connection();
    script.say(
        R"({"error":"org.wharf.Gated","parameters":{"message":"no access to a/b","hint":"ask"}})");
    script.say(
        R"({"error":"org.varlink.service.InvalidParameter","parameters":{"parameter":"x"}})");
    script.say(R"({"error":"a.b.Bare"})");
    script.say("{}");
    const struct {
        const char* name;
        const char* message;
        const char* hint;
    } rows[] = {
        {"org.wharf.Gated", "no access to a/b", "ask"},
        {"org.varlink.service.InvalidParameter",
         R"(the daemon answered org.varlink.service.InvalidParameter {"parameter":"x"})", ""},
        {"a.b.Bare", "the daemon answered a.b.Bare {}", ""},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        bool thrown = false;
        try {
            connection.call("a.b.C");
        } catch (const RemoteError& error) {
            thrown = true;
            CHECK(error.name() == row.name);
            CHECK(error.message() == row.message);
            CHECK(error.what() == error.message());
            CHECK(error.hint() == row.hint);
        }
        CHECK(thrown);
    }
    CHECK_NOTHROW(connection.call("a.b.C"));
}

TEST_CASE("answers to a call with more are handed on, to the last") {
    Script script;
    Connection connection = script.connection();
    script.say(R"({"parameters":{"n":1},"continues":true})");
    script.say(R"({"parameters":{"n":2},"continues":true})");
    script.say(R"({"parameters":{"n":3}})");
    std::vector<std::int64_t> numbers;
    std::vector<bool> continues;
    connection.call_more("a.b.C", {}, [&](const Reply& reply) {
        numbers.push_back(reply.parameters.at("n").as_int64());
        continues.push_back(reply.continues);
    });
    CHECK(numbers == std::vector<std::int64_t>{1, 2, 3});
    CHECK(continues == std::vector<bool>{true, true, false});
    CHECK(script.heard() == R"({"method":"a.b.C","more":true})");
    script.say(R"({"parameters":{"n":1},"continues":true})");
    script.say(R"({"error":"a.b.E"})");
    CHECK_THROWS_AS(connection.call_more("a.b.C", {}, [](const Reply&) {}), RemoteError);
    script.say("{}");
    CHECK_NOTHROW(connection.call("a.b.C"));
}

TEST_CASE("what the caller throws between answers closes the connection") {
    Script script;
    Connection connection = script.connection();
    script.say(R"({"continues":true})");
    script.say(R"({"continues":true})");
    CHECK_THROWS_AS(connection.call_more("a.b.C", {}, [](const Reply&) { throw 7; }), int);
    CHECK(is_closed(connection));
    script.heard();
    char byte = 0;
    CHECK(::recv(script.daemon.value(), &byte, 1, MSG_DONTWAIT) <= 0); // no second call came
}

TEST_CASE("one-way calls do not wait") {
    Script script;
    Connection connection = script.connection();
    connection.call_oneway("a.b.C", {{"x", 1}});
    CHECK(script.heard() == R"({"method":"a.b.C","parameters":{"x":1},"oneway":true})");
}

TEST_CASE("descriptors go both ways") {
    Script script;
    Connection connection = script.connection();
    const auto open_null = [] {
        std::vector<UniqueFd> list;
        list.emplace_back(wharf::adopt_fd, ::open("/dev/null", O_RDWR | O_CLOEXEC));
        return list;
    };
    script.say(R"({"parameters":{"descriptor":0}})", open_null());
    CallOptions options;
    options.descriptors = open_null();
    const Reply reply = connection.call("a.b.C", {}, std::move(options));
    REQUIRE(reply.descriptors.size() == 1);
    CHECK((::fcntl(reply.descriptors[0].value(), F_GETFD) & FD_CLOEXEC) != 0);
    script.heard();
    CHECK(script.descriptors.size() == 1);
}

TEST_CASE("a daemon that goes away is told from one that answers nonsense") {
    Script script;
    Connection connection = script.connection();
    SUBCASE("before the call") {
        script.daemon.reset();
        CHECK_THROWS_AS(connection.call("a.b.C"), DaemonUnreachable);
    }
    SUBCASE("before the answer") {
        ::shutdown(script.daemon.value(), SHUT_WR);
        CHECK_THROWS_AS(connection.call("a.b.C"), DaemonUnreachable);
    }
    SUBCASE("in the middle of the answer") {
        REQUIRE(::send(script.daemon.value(), "{\"par", 5, 0) == 5);
        ::shutdown(script.daemon.value(), SHUT_WR);
        CHECK_THROWS_AS(connection.call("a.b.C"), DaemonUnreachable);
    }
    SUBCASE("nonsense") {
        script.say("hello");
        bool thrown = false;
        try {
            connection.call("a.b.C");
        } catch (const DaemonUnreachable&) {
            FAIL("it was reachable");
        } catch (const wharf::Error& error) {
            thrown = error.kind() == wharf::ErrorKind::protocol;
        }
        CHECK(thrown);
    }
    SUBCASE("more answers than asked for") {
        script.say(R"({"continues":true})");
        CHECK_THROWS_AS(connection.call("a.b.C"), wharf::Error);
    }
    CHECK(is_closed(connection));
}

TEST_CASE("long messages go both ways, those over the limit do not") {
    Script script;
    Connection connection = script.connection();
    const std::string text(4'000'000, 'x');
    SUBCASE("within") {
        std::thread daemon{[&] {
            std::string buffer(1 << 20, '\0');
            std::size_t received = 0;
            while (received < text.size()) {
                received += static_cast<std::size_t>(
                    ::recv(script.daemon.value(), buffer.data(), buffer.size(), 0));
            }
            const std::string answer = R"({"parameters":{"t":")" + text + "\"}}" + '\0';
            for (std::size_t at = 0; at < answer.size();) {
                at += static_cast<std::size_t>(::send(script.daemon.value(), answer.data() + at,
                                                      answer.size() - at, MSG_NOSIGNAL));
            }
        }};
        CHECK(connection.call("a.b.C", {{"t", text}}).parameters.at("t").as_string() == text);
        daemon.join();
    }
    SUBCASE("a call over it is not sent") {
        CHECK_THROWS_AS(connection.call("a.b.C", {{"t", text + text}}), wharf::Error);
    }
    SUBCASE("an answer over it is not kept") {
        std::thread daemon{[&] {
            const std::string much(1 << 20, 'x');
            while (::send(script.daemon.value(), much.data(), much.size(), MSG_NOSIGNAL) > 0) {
            }
        }};
        CHECK_THROWS_AS(connection.call("a.b.C"), wharf::Error);
        daemon.join(); // its send fails when the connection is closed
    }
}

TEST_CASE("silence has a limit where one is set") {
    Script script;
    Connection connection = script.connection();
    CallOptions options;
    options.silence_limit = 30ms;
    const auto begin = std::chrono::steady_clock::now();
    CHECK_THROWS_AS(connection.call("a.b.C", {}, std::move(options)), DaemonUnreachable);
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
    CHECK(is_closed(connection));
}

TEST_CASE("another descriptor is looked at while waiting") {
    Script script;
    Connection connection = script.connection();
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd reader{wharf::adopt_fd, ends[0]};
    const UniqueFd writer{wharf::adopt_fd, ends[1]};
    REQUIRE(::write(writer.value(), "ab", 2) == 2);
    int seen = 0;
    CallOptions options;
    options.watched_fd = reader.value();
    SUBCASE("and the call goes on") {
        options.on_watched = [&] {
            char byte = 0;
            REQUIRE(::read(reader.value(), &byte, 1) == 1);
            if (++seen == 2) {
                script.say("{}");
            }
        };
        CHECK_NOTHROW(connection.call("a.b.C", {}, std::move(options)));
        CHECK(seen == 2);
    }
    SUBCASE("and may end the call") {
        options.on_watched = [] { throw std::string{"interrupted"}; };
        CHECK_THROWS_AS(connection.call("a.b.C", {}, std::move(options)), std::string);
        CHECK(is_closed(connection));
    }
}

TEST_CASE("a socket that is shut down from elsewhere ends the call") {
    Script script;
    Connection connection = script.connection();
    std::thread other{[fd = connection.fd()] { ::shutdown(fd, SHUT_RDWR); }};
    CHECK_THROWS_AS(connection.call("a.b.C"), DaemonUnreachable);
    other.join();
}

TEST_CASE("where no daemon is, that is said with what to do") {
    std::string folder = "/tmp/wharf-client-XXXXXX";
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    const std::string stale = folder + "/stale";
    {
        const UniqueFd fd{wharf::adopt_fd, ::socket(AF_UNIX, SOCK_STREAM, 0)};
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        stale.copy(address.sun_path, sizeof address.sun_path - 1);
        REQUIRE(::bind(fd.value(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    }
    for (const std::string& path :
         {folder + "/none", stale, std::string{}, folder + "/" + std::string(200, 'x')}) {
        CAPTURE(path);
        bool thrown = false;
        try {
            const Connection connection{path};
        } catch (const DaemonUnreachable& error) {
            thrown = true;
            CHECK(error.kind() == wharf::ErrorKind::network);
            CHECK(error.message().find(path) != std::string::npos);
            CHECK(error.hint().find("systemctl start") != std::string::npos);
        }
        CHECK(thrown);
    }
    ::unlink(stale.c_str());
    ::rmdir(folder.c_str());
}

TEST_CASE("who is turned away before he has asked hears why") {
    Script script;
    Connection connection = script.connection();
    script.say(R"({"error":"org.wharf.Forbidden","parameters":{"message":"too many"}})");
    script.daemon.reset();
    try {
        connection.call("a.b.C");
        FAIL("was answered");
    } catch (const RemoteError& error) {
        CHECK(error.message() == "too many");
    }
    CHECK_THROWS_AS(connection.call_oneway("a.b.C"), DaemonUnreachable);
}
