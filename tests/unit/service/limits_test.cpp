#include "base/log.hpp"
#include "tests/support/socket_harness.hpp"

#include <algorithm>
#include <fcntl.h>
#include <malloc.h>
#include <optional>
#include <sys/resource.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

using namespace std::chrono_literals;
using wharf::UniqueFd;
using wharf::service::ServerOptions;
using wharf::test::Harness;
using wharf::test::RawClient;
using namespace std::string_literals;

namespace {

std::size_t heap_in_use() {
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
}

std::size_t open_descriptors() {
    std::size_t open = 0;
    for (int fd = 0; fd < 1024; ++fd) {
        open += ::fcntl(fd, F_GETFD) >= 0 ? 1U : 0U;
    }
    return open;
}

std::string text_of(std::size_t size) {
    return R"({"text":")" + std::string(size, 'x') + "\"}";
}

/// Leaves this process that many descriptors to make, until it is destroyed.
class TightDescriptors {
  public:
    explicit TightDescriptors(rlim_t left) {
        REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
        // The sanitizer needs descriptors to look at types that it has not met before.
        wharf::log::warning("test", "soon: {}", std::generic_category().message(EMFILE));
        const UniqueFd next{wharf::adopt_fd, ::dup(0)};
        rlimit tight = before_;
        tight.rlim_cur = static_cast<rlim_t>(next.value()) + left;
        REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    }
    ~TightDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

} // namespace

TEST_CASE("a message at the limit is served, one above it ends the connection") {
    ServerOptions options;
    options.message_limit = 1000;
    Harness harness{options};
    RawClient client{harness};
    const std::size_t frame = RawClient::message("Ping", text_of(0)).size() - 1;
    CHECK(client.call("Ping", text_of(1000 - frame)).error.empty());
    SUBCASE("whole") {
        client.send(RawClient::message("Ping", text_of(1001 - frame)));
    }
    SUBCASE("its end never comes") {
        client.send(RawClient::message("Ping", text_of(2000)).substr(0, 1500));
    }
    CHECK(client.is_closed_by_server());
    CHECK(harness.state.pings.size() == 1);
}

TEST_CASE("with the real limit, four MiB come and go") {
    Harness harness;
    RawClient client{harness};
    const std::size_t size = (std::size_t{4} << 20) - 100;
    const auto reply = client.call("Ping", text_of(size));
    CHECK(reply.parameters.at("text").as_string().size() == size);
    client.send(std::string((std::size_t{4} << 20) + 1, ' '));
    CHECK(client.is_closed_by_server());
}

TEST_CASE("an answer of ours over the limit becomes an error") {
    Harness harness;
    RawClient client{harness};
    CHECK(client.call("Letters", R"({"count":5000000})").error == "org.wharf.Internal");
    CHECK(client.call("Letters", R"({"count":4000000})").error.empty());
}

TEST_CASE("who begins a message and does not end it is dropped; who is silent is not") {
    ServerOptions options;
    options.message_timeout = 30ms;
    Harness harness{options};
    RawClient silent{harness};
    RawClient partial{harness};
    RawClient after_a_call{harness};
    const auto begin = std::chrono::steady_clock::now();
    partial.send("{");
    after_a_call.send(RawClient::message("Ping", text_of(1)) + "{");
    CHECK(after_a_call.read()->error.empty());
    SUBCASE("saying nothing more") {}
    SUBCASE("adding bytes does not give it more time") {
        while (std::chrono::steady_clock::now() - begin < 25ms) {
            partial.send(" ");
            harness.run_ready();
        }
    }
    CHECK(partial.is_closed_by_server());
    CHECK(after_a_call.is_closed_by_server());
    CHECK(std::chrono::steady_clock::now() - begin >= 30ms);
    CHECK(silent.call("Ping", text_of(1)).error.empty());
    CHECK(harness.server.connections() == 1);
}

TEST_CASE("a call may take longer than the rest of a message behind it") {
    ServerOptions options;
    options.message_timeout = 20ms;
    Harness harness{options};
    RawClient client{harness};
    client.send(RawClient::message("Hang") + "{");
    const auto begin = std::chrono::steady_clock::now();
    harness.run_until([&] { return std::chrono::steady_clock::now() - begin > 60ms; });
    CHECK(harness.state.hanging == 1);
}

TEST_CASE("who does not read is dropped, and little is held for it") {
    ServerOptions options;
    options.write_timeout = 50ms;
    Harness harness{options};
    RawClient other{harness};
    RawClient client{harness};
    const std::size_t before = heap_in_use();
    SUBCASE("one long answer") {
        client.send(RawClient::message("Letters", R"({"count":4000000})"));
    }
    SUBCASE("many answers") {
        client.send(RawClient::message("Count", R"({"to":10000000})", R"(,"more":true)"));
    }
    SUBCASE("many calls") {
        std::string calls;
        for (int i = 0; i < 20; ++i) {
            calls += RawClient::message("Letters", R"({"count":1000000})");
        }
        client.send(calls);
    }
    SUBCASE("descriptors in answers") {
        std::string calls;
        for (int i = 0; i < 20'000; ++i) {
            calls += RawClient::message("Open", R"({"content":"x"})");
        }
        client.send(calls.substr(0, 100'000));
    }
    harness.run_until([&] { return harness.server.connections() == 2; });
    std::size_t most = 0;
    harness.run_until([&] {
        most = std::max(most, heap_in_use());
        return harness.server.connections() == 1;
    });
    MESSAGE("heap grew by " << (most > before ? most - before : 0) / 1024 << " KiB");
    CHECK(most < before + (std::size_t{16} << 20));
    CHECK(other.call("Ping", text_of(1)).error.empty());
}

TEST_CASE("who reads slowly is not dropped as long as it reads") {
    ServerOptions options;
    options.write_timeout = 200ms;
    Harness harness{options};
    RawClient client{harness};
    client.send(RawClient::message("Letters", R"({"count":2000000})"));
    const auto begin = std::chrono::steady_clock::now();
    std::size_t received = 0;
    std::string buffer(100'000, '\0');
    harness.run_until([&] {
        const auto result = wharf::protocol::receive_some(client.fd.value(), buffer, nullptr);
        received += result.bytes;
        const auto pause = std::chrono::steady_clock::now() + 15ms;
        while (std::chrono::steady_clock::now() < pause) {
            harness.run_ready();
        }
        return received > 2'000'000;
    });
    CHECK(std::chrono::steady_clock::now() - begin > options.write_timeout);
    CHECK(harness.server.connections() == 1);
}

TEST_CASE("who reads a little now and then keeps an answer for a limited time") {
    ServerOptions options;
    options.write_timeout = 100ms;
    options.slowest_reading = 40'000'000; // 100 ms more for the answer
    Harness harness{options};
    RawClient client{harness};
    client.send(RawClient::message("Letters", R"({"count":4000000})"));
    const auto begin = std::chrono::steady_clock::now();
    std::string buffer(8'000, '\0');
    harness.run_until([&] {
        wharf::protocol::receive_some(client.fd.value(), buffer, nullptr);
        const auto pause = std::chrono::steady_clock::now() + 5ms;
        while (std::chrono::steady_clock::now() < pause) {
            harness.run_ready();
        }
        return harness.server.connections() == 0;
    });
    CHECK(std::chrono::steady_clock::now() - begin >= options.write_timeout);
}

TEST_CASE("what clients send at once has a budget") {
    ServerOptions options;
    options.buffer_budget = 300'000;
    Harness harness{options};
    RawClient first{harness};
    RawClient second{harness};
    RawClient third{harness};
    first.send(std::string(200'000, ' '));
    harness.run_ready();
    second.send(std::string(150'000, ' '));
    CHECK(second.is_closed_by_server());
    CHECK(third.call("Ping", text_of(10)).error.empty());
    SUBCASE("short calls are taken nevertheless") {
        RawClient fourth{harness};
        RawClient fifth{harness};
        fourth.send(std::string(99'000, ' '));
        harness.run_ready();
        fifth.send(std::string(60'000, ' '));
        harness.run_ready();
        CHECK(third.call("Ping", text_of(10)).error.empty());
        CHECK(harness.server.connections() == 4);
        return;
    }
    SUBCASE("what is done is free again") {
        first.send(RawClient::message("Ping", text_of(1)));
        CHECK(first.read()->error.empty());
    }
    SUBCASE("and what has gone") {
        first.fd.reset();
        harness.run_until([&] { return harness.server.connections() == 1; });
    }
    CHECK(third.call("Ping", text_of(200'000)).error.empty());
    CHECK(third.call("Ping", text_of(200'000)).error.empty());
}

TEST_CASE("above the limit connections are closed at once") {
    ServerOptions options;
    SUBCASE("of all") {
        options.max_connections = 3;
    }
    SUBCASE("of one user") {
        options.max_connections_per_user = 3;
    }
    Harness harness{options};
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(std::make_unique<RawClient>(harness));
    }
    CHECK(harness.server.connections() == 3);
    for (std::size_t i = 3; i < 5; ++i) {
        const auto answer = clients[i]->read(); // before it has asked
        CHECK(answer->error == "org.wharf.Forbidden");
        const std::string said{answer->parameters.at("message").as_string()};
        CHECK(said.find(" 3 connections") != std::string::npos);
        CHECK(clients[i]->is_closed_by_server());
    }
    CHECK(clients[2]->call("Ping", text_of(1)).error.empty());
    clients[0]->fd.reset();
    harness.run_until([&] { return harness.server.connections() == 2; });
    RawClient next{harness};
    CHECK(next.call("Ping", text_of(1)).error.empty());
}

TEST_CASE("a flood of descriptors ends the connection and leaks none") {
    Harness harness;
    RawClient client{harness};
    harness.run_ready();
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 3; ++i) {
        std::vector<UniqueFd> list;
        for (int n = 0; n < 100; ++n) {
            list.emplace_back(wharf::adopt_fd, ::dup(0));
        }
        client.send("{", std::move(list));
        harness.run_ready();
    }
    CHECK(client.is_closed_by_server());
    harness.run_until([&] { return harness.server.connections() == 0; });
    harness.run_until([&] { return open_descriptors() < before; }); // closed by other threads
}

TEST_CASE("without descriptors to spare, accepting pauses and goes on") {
    const std::string folder = "/tmp/wharf-limits-" + std::to_string(::getpid());
    Harness harness;
    harness.server.listen(wharf::service::ListeningSocket::open({folder + "/s", 0600, 0700}));
    harness.run_ready();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder + "/s").copy(address.sun_path, sizeof address.sun_path - 1);
    std::vector<UniqueFd> clients;
    for (int i = 0; i < 4; ++i) {
        clients.emplace_back(wharf::adopt_fd, ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        REQUIRE(::connect(clients.back().value(), reinterpret_cast<sockaddr*>(&address),
                          sizeof address) == 0);
    }
    {
        const TightDescriptors tight{2};
        const auto begin = std::chrono::steady_clock::now();
        harness.run_until([&] { return std::chrono::steady_clock::now() - begin > 50ms; });
        CHECK(harness.server.connections() == 2);
    }
    harness.run_until([&] { return harness.server.connections() == 4; });
    harness.server.stop_accepting();
    CHECK(::rmdir(folder.c_str()) == 0); // nothing of ours is left in it
}

TEST_CASE("thousands of idle connections are cheap") {
    constexpr std::size_t wanted = 2000;
    rlimit limit{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
    if (limit.rlim_cur < 2 * wanted + 100) {
        MESSAGE("not enough descriptors allowed here: skipped");
        return;
    }
    ServerOptions options;
    options.max_connections_per_user = wanted + 1;
    Harness harness{options};
    std::vector<UniqueFd> clients;
    clients.reserve(wanted);
    RawClient probe{harness};
    CHECK(probe.call("Ping", text_of(1)).error.empty());
    const std::size_t before = heap_in_use();
    while (clients.size() < wanted) {
        RawClient client{harness};
        client.send(RawClient::message("Ping", text_of(1), R"(,"oneway":true)"));
        clients.push_back(std::move(client.fd));
        harness.run_ready();
    }
    REQUIRE(harness.server.connections() == wanted + 1);
    const std::size_t each = (heap_in_use() - before) / wanted;
    MESSAGE(each << " bytes of heap for each idle connection");
    CHECK(each < 6'000);
    CHECK(probe.call("Ping", text_of(1)).error.empty());
    clients.clear();
    harness.run_until([&] { return harness.server.connections() == 1; });
}

TEST_CASE("an account may have some calls waiting, and quick ones beside them") {
    ServerOptions options;
    options.max_calls_per_user = 2;
    Harness harness{options};
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 2; ++i) {
        clients.push_back(std::make_unique<RawClient>(harness));
        clients.back()->send(RawClient::message("Hang"));
    }
    harness.run_until([&] { return harness.state.hanging == 2; });
    RawClient other{harness};
    const auto refused = other.call("Ping", text_of(1));
    CHECK(refused.error == "org.wharf.Forbidden");
    const std::string said{refused.parameters.at("message").as_string()};
    CHECK(said.find("2 calls") != std::string::npos);
    other.send(R"({"method":"org.varlink.service.GetInfo"})" + "\0"s);
    CHECK(other.read()->error.empty());
    clients.pop_back();
    harness.run_until([&] { return harness.state.hanging == 1; });
    CHECK(other.call("Ping", text_of(1)).error.empty()); // the same connection goes on
}

TEST_CASE("what one account sends and does not read has a budget of its own") {
    ServerOptions options;
    options.buffer_budget_per_user = 300'000;
    Harness harness{options};
    RawClient first{harness};
    RawClient second{harness};
    SUBCASE("calls that have not ended, long or short") {
        first.send(std::string(270'000, ' '));
        harness.run_ready();
        second.send(std::string(40'000, ' '));
        CHECK(second.is_closed_by_server());
    }
    SUBCASE("answers") {
        first.send(RawClient::message("Letters", R"({"count":4000000})"));
        harness.run_until([&] { return harness.server.connections() == 1; });
    }
    RawClient third{harness};
    CHECK(third.call("Ping", text_of(10)).error.empty());
}

TEST_CASE("the descriptors that one account sends are counted over its connections") {
    ServerOptions options;
    options.max_descriptors_per_user = 150;
    Harness harness{options};
    const auto attached = [] {
        std::vector<UniqueFd> list;
        for (int n = 0; n < 100; ++n) {
            list.emplace_back(wharf::adopt_fd, ::dup(0));
        }
        return list;
    };
    const std::size_t before = open_descriptors();
    RawClient first{harness};
    RawClient second{harness};
    first.send("{", attached());
    harness.run_ready();
    second.send("{", attached());
    CHECK(second.is_closed_by_server());
    first.fd.reset();
    harness.run_until([&] { return harness.server.connections() == 0; });
    // Other threads close them, and they count until that is known here.
    std::optional<RawClient> third;
    harness.run_until([&] {
        if (open_descriptors() > before + 10) {
            return false;
        }
        third.emplace(harness);
        third->send("{", attached());
        harness.run_ready();
        return harness.server.connections() == 1;
    });
}
