#include "daemon/async/task_group.hpp"
#include "daemon/net/connect.hpp"
#include "daemon/net/resolver.hpp"
#include "daemon/net/tcp_stream.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/unit/net/test_server.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <atomic>
#include <future>
#include <poll.h>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::asio::ip::make_address;
using wharf::net::Addresses;
using wharf::net::connect_any;
using wharf::net::Deadline;
using wharf::test::BlackHole;
using wharf::test::Peer;
using wharf::test::TestServer;
using wharf::test::unused_port;

namespace {

Addresses addresses(std::initializer_list<const char*> texts) {
    Addresses result;
    for (const char* text : texts) {
        result.push_back(make_address(text));
    }
    return result;
}

Awaitable<> connect_into(Addresses to, std::uint16_t port, wharf::net::ConnectLimits limits,
                         std::string& outcome) {
    try {
        auto socket = co_await connect_any(std::move(to), port, limits, "host:1");
        outcome = socket.remote_endpoint().address().to_string();
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::network);
        outcome = error.message();
    }
}

std::string connect_to(Addresses to, std::uint16_t port, wharf::net::ConnectLimits limits = {5s}) {
    std::string outcome;
    wharf::test::run(connect_into(std::move(to), port, limits, outcome));
    return outcome;
}

void wait_for_client(Peer& peer, int) {
    peer.wait_for_close();
}

} // namespace

TEST_CASE("families take turns, the resolver's first choice first") {
    using wharf::net::alternate_families;
    CHECK(alternate_families(addresses({"::1", "::2", "::3", "1.1.1.1", "2.2.2.2"})) ==
          addresses({"::1", "1.1.1.1", "::2", "2.2.2.2", "::3"}));
    CHECK(alternate_families(addresses({"1.1.1.1", "2.2.2.2", "::1"})) ==
          addresses({"1.1.1.1", "::1", "2.2.2.2"}));
    CHECK(alternate_families({}).empty());
    CHECK(alternate_families(Addresses(100, make_address("::1"))).size() == 16);
}

TEST_CASE("a refused IPv6 address gives way to IPv4 at once") {
    TestServer server{wait_for_client};
    CHECK(connect_to(addresses({"::1", "127.0.0.1"}), server.port(), {5s, 1h}) == "127.0.0.1");
}

TEST_CASE("an address that stays silent gives way after its head start") {
    BlackHole hole;
    TestServer server{wait_for_client, std::nullopt, hole.port()};
    CHECK(connect_to(addresses({"127.0.0.1", "::1"}), hole.port(), {1h, 10ms}) == "::1");
}

TEST_CASE("an answer tells more than a time-out that follows") {
    BlackHole hole; // nobody listens on this port of ::1
    CHECK(connect_to(addresses({"127.0.0.1", "::1"}), hole.port(), {100ms, 10ms}) ==
          "connecting to host:1: connection refused");
}

TEST_CASE("connections fail with what they failed of") {
    CHECK(connect_to(addresses({"127.0.0.1"}), unused_port()) ==
          "connecting to host:1: connection refused");
    BlackHole hole;
    CHECK(connect_to(addresses({"127.0.0.1"}), hole.port(), {20ms}) ==
          "connecting to host:1 timed out after 20 ms");
}

TEST_CASE("a cancelled attempt ends at once") {
    BlackHole hole;
    wharf::asio::io_context context;
    wharf::async::TaskGroup group{context.get_executor()};
    std::string outcome = "none";
    const auto body = [&]() -> Awaitable<> {
        group.spawn("connect", connect_into(addresses({"127.0.0.1", "127.0.0.1"}), hole.port(),
                                            {1h, 1ms}, outcome));
        co_await wharf::async::sleep_for(5ms);
        group.cancel();
        co_await group.join();
        CHECK(outcome == "none");
    };
    wharf::test::run(body(), context);
}

namespace {

/// A system whose resolver hangs for every name but "quick" until it is let go.
struct HangingSystem {
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    std::shared_ptr<std::atomic<int>> asked = std::make_shared<std::atomic<int>>(0);

    wharf::net::Resolver::SystemLookup lookup() const {
        return [released = released, asked = asked](const std::string& host,
                                                    boost::system::error_code&) {
            ++*asked;
            if (host != "quick") {
                released.wait();
            }
            return addresses({"127.0.0.1"});
        };
    }
};

Awaitable<std::string> resolve(wharf::net::Resolver& resolver, std::string host,
                               std::chrono::milliseconds limit) {
    try {
        co_await resolver.resolve(std::move(host), Deadline::after(limit, "looking up"));
        co_return "found";
    } catch (const Error& error) {
        co_return error.message();
    }
}

} // namespace

TEST_CASE("a look-up that hangs ends at its deadline, keeps nobody else, and serves later") {
    HangingSystem system;
    wharf::asio::io_context context;
    wharf::net::Resolver resolver{context.get_executor(), system.lookup()};
    const auto body = [&]() -> Awaitable<> {
        for (int i = 0; i < 2; ++i) { // the second joins the first's
            const auto slow = co_await resolve(resolver, "slow", 5ms);
            CHECK(slow == "looking up slow timed out after 5 ms");
        }
        const auto quick = co_await resolve(resolver, "quick", 4s);
        CHECK(quick == "found");
        system.release.set_value();
        const auto slow = co_await resolve(resolver, "slow", 4s);
        CHECK(slow == "found");
        CHECK(*system.asked == 2);
    };
    wharf::test::run(body(), context);
}

TEST_CASE("hanging look-ups are bounded; those beyond wait for a place") {
    HangingSystem system;
    wharf::asio::io_context context;
    constexpr int most = wharf::net::Resolver::most_hanging;
    wharf::net::Resolver resolver{context.get_executor(), system.lookup()};
    const auto body = [&]() -> Awaitable<> {
        for (int i = 0; i < most + 2; ++i) {
            const auto hung = co_await resolve(resolver, fmt::format("n{}", i), 2ms);
            CHECK(hung == fmt::format("looking up n{} timed out after 2 ms", i));
        }
        while (*system.asked < most) {
            co_await wharf::async::sleep_for(1ms);
        }
        const auto quick = co_await resolve(resolver, "quick", 2ms);
        CHECK(quick == "looking up quick timed out after 2 ms");
        CHECK(*system.asked == most);
        system.release.set_value();
        const auto later = co_await resolve(resolver, "quick", 4s);
        CHECK(later == "found");
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a resolver's end waits for nothing that hangs") {
    HangingSystem system;
    wharf::asio::io_context context;
    {
        wharf::net::Resolver resolver{context.get_executor(), system.lookup()};
        const auto body = [&]() -> Awaitable<> { co_await resolve(resolver, "slow", 1ms); };
        wharf::test::run(body(), context);
    }
    system.release.set_value();
    context.poll();
}

TEST_CASE("names are looked up, addresses are not") {
    wharf::asio::io_context context;
    wharf::net::Resolver resolver{context.get_executor()};
    const auto body = [&]() -> Awaitable<> {
        const auto deadline = Deadline::after(4s, "looking up");
        const Addresses literal = co_await resolver.resolve("::1", deadline);
        CHECK(literal == addresses({"::1"}));
        for (int i = 0; i < 2; ++i) { // the second time from memory
            const Addresses local = co_await resolver.resolve("localhost", deadline);
            REQUIRE_FALSE(local.empty());
            CHECK(local.front().is_loopback());
        }
        std::string message;
        try { // an empty label: refused without asking any server
            co_await resolver.resolve("a..b", deadline);
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::network);
            CHECK(error.is_lasting());
            message = error.message();
        }
        CHECK(message.starts_with("looking up a..b: "));
        message.clear();
        try {
            co_await resolver.resolve("a..c", Deadline::after(0ms, "looking up"));
        } catch (const Error& error) {
            CHECK_FALSE(error.is_lasting());
            message = error.message();
        }
        CHECK(message == "looking up a..c timed out after 0 ms");
    };
    wharf::test::run(body(), context);
}

TEST_CASE("a socket's deadline holds although its timer is set seldom") {
    TestServer server{[](Peer& peer, int) {
        for (int i = 0; i < 3; ++i) {
            peer.write("x");
            peer.read_request();
        }
        peer.wait_for_close();
    }};
    const auto body = [&]() -> Awaitable<> {
        const std::string host = "h:1";
        auto plain = co_await connect_any(addresses({"127.0.0.1"}), server.port(), {5s}, host);
        const auto sockets = std::make_shared<wharf::net::OpenSockets>();
        wharf::net::TcpStream stream{wharf::net::Socket{std::move(plain), host, sockets}};
        std::byte byte{};
        for (int i = 0; i < 3; ++i) { // long deadlines first: the timer is set far ahead
            co_await stream.read_some({&byte, 1}, Deadline::after(1h, "reading from"));
            co_await stream.write_some("a\r\n\r\n", Deadline::after(1h, "sending to"));
        }
        CHECK(sockets->received() == 3);
        for (const auto limit : {10ms, 5ms}) {
            std::string message;
            try {
                co_await stream.read_some({&byte, 1}, Deadline::after(limit, "reading from"));
            } catch (const Error& error) {
                message = error.message();
            }
            CHECK(message == fmt::format("reading from h:1 timed out after {} ms", limit.count()));
        }
        CHECK(stream.is_quiet());
    };
    wharf::test::run(body());
}

TEST_CASE("a peer that never lets us wait does not keep the thread to itself") {
    TestServer server{[](Peer& peer, int) {
        const std::string data(1 << 20, 'x');
        for (;;) {
            peer.write(data);
        }
    }};
    const auto body = [&]() -> Awaitable<> {
        const wharf::Executor executor = co_await wharf::asio::this_coro::executor;
        auto plain = co_await connect_any(addresses({"127.0.0.1"}), server.port(), {5s}, "h:1");
        pollfd readable{plain.native_handle(), POLLIN, 0};
        const auto sockets = std::make_shared<wharf::net::OpenSockets>();
        wharf::net::Socket socket{std::move(plain), "h:1", sockets};
        std::vector<std::byte> buffer(10'000);
        while (sockets->received() < (1 << 20)) { // much, and never a wait
            CHECK_FALSE(socket.owes_turn());
            ::poll(&readable, 1, 4000);
            REQUIRE(socket.receive(buffer) > 0);
        }
        CHECK(socket.owes_turn());
        wharf::net::TcpStream stream{std::move(socket)};
        for (const bool turn : {true, false}) { // after the turn the next is not due yet
            bool others_ran = false;
            wharf::asio::post(executor, [&] { others_ran = true; });
            ::poll(&readable, 1, 4000);
            co_await stream.read_some(buffer, Deadline::after(4s, "reading from"));
            CHECK(others_ran == turn);
            while (!others_ran) { // its handler refers to this frame
                co_await wharf::asio::post(executor, wharf::asio::use_awaitable);
            }
        }
    };
    wharf::test::run(body());
}
