#include "tests/support/socket_harness.hpp"

#include <fcntl.h>
#include <unistd.h>

using wharf::UniqueFd;
using wharf::test::Harness;
using wharf::test::parse;
using wharf::test::RawClient;
using namespace std::string_literals;

namespace {

UniqueFd file_with(std::string_view content) {
    UniqueFd fd{wharf::adopt_fd, ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    REQUIRE(::write(fd.value(), content.data(), content.size()) ==
            static_cast<ssize_t>(content.size()));
    return fd;
}

} // namespace

TEST_CASE("a call is answered, and the connection stays for the next") {
    Harness harness;
    RawClient client{harness};
    for (const char* text : {"one", "two", "\xc3\xa9"}) {
        const auto reply = client.call("Ping", R"({"text":")"s + text + "\"}");
        CHECK(reply.error.empty());
        CHECK_FALSE(reply.continues);
        CHECK(reply.parameters.at("text").as_string() == text);
    }
    CHECK(harness.server.connections() == 1);
}

TEST_CASE("pipelined calls are answered in order, one-way ones not at all") {
    Harness harness;
    RawClient client{harness};
    std::string all;
    for (int i = 0; i < 200; ++i) {
        all += RawClient::message("Ping", R"({"text":")" + std::to_string(i) + "\"}",
                                  i % 3 == 0 ? R"(,"oneway":true)" : "");
    }
    client.send(all);
    for (int i = 0; i < 200; ++i) {
        if (i % 3 != 0) {
            const auto reply = client.read();
            REQUIRE(reply);
            CHECK(reply->parameters.at("text").as_string() == std::to_string(i));
        }
    }
    REQUIRE(harness.state.pings.size() == 200);
    CHECK(harness.state.pings[199] == "199");
}

TEST_CASE("one-way calls get no answer even when they fail") {
    Harness harness;
    RawClient client{harness};
    for (const char* method : {"Crash", "Missing", "Unknown", "Lie", "Watch", "Forget", "Count"}) {
        client.send(RawClient::message(method, "{}", R"(,"oneway":true)"));
    }
    client.send(RawClient::message("Crash", R"({"secret":"s"})", R"(,"oneway":true)"));
    client.send(RawClient::message("Count", R"({"to":5})", R"(,"oneway":true,"more":true)"));
    CHECK(client.call("Ping", R"({"text":"next"})").parameters.at("text").as_string() == "next");
}

TEST_CASE("a one-way call is carried out although its sender has gone") {
    Harness harness;
    {
        RawClient client{harness};
        client.send(RawClient::message("Ping", R"({"text":"a"})", R"(,"oneway":true)"));
        client.send(RawClient::message("Ping", R"({"text":"b"})", R"(,"oneway":true)"));
    }
    harness.run_until([&] { return harness.server.connections() == 0; });
    CHECK(harness.state.pings == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a client that has ended its side still gets all its answers") {
    Harness harness;
    RawClient client{harness};
    client.send(RawClient::message("Count", R"({"to":3})", R"(,"more":true)") +
                RawClient::message("Ping", R"({"text":"last"})"));
    REQUIRE(::shutdown(client.fd.value(), SHUT_WR) == 0);
    for (int i = 1; i <= 3; ++i) {
        const auto reply = client.read();
        REQUIRE(reply);
        CHECK(reply->parameters.at("number").as_int64() == i);
        CHECK(reply->continues == (i < 3));
    }
    CHECK(client.read()->parameters.at("text").as_string() == "last");
    CHECK(client.is_closed_by_server());
}

TEST_CASE("ending one's side does not cancel a call that is running") {
    Harness harness;
    RawClient client{harness};
    client.send(RawClient::message("Hang"));
    harness.run_until([&] { return harness.state.hanging == 1; });
    REQUIRE(::shutdown(client.fd.value(), SHUT_WR) == 0);
    harness.run_ready();
    CHECK(harness.state.hanging == 1);
    client.fd.reset();
    harness.run_until([&] { return harness.state.hung == 1; });
    harness.run_until([&] { return harness.server.connections() == 0; });
}

TEST_CASE("a call is cancelled when its client goes") {
    Harness harness;
    RawClient client{harness};
    RawClient other{harness};
    client.send(RawClient::message("Hang"));
    other.send(RawClient::message("Hang"));
    harness.run_until([&] { return harness.state.hanging == 2; });
    SUBCASE("with nothing else on the line") {}
    SUBCASE("with another call behind it") {
        client.send(RawClient::message("Hang"));
    }
    client.fd.reset();
    harness.run_until([&] { return harness.server.connections() == 1; });
    CHECK(harness.state.hung == 1);
    CHECK(harness.state.hanging == 1);
}

TEST_CASE("more than one answer comes only to who asked for it") {
    Harness harness;
    RawClient client{harness};
    SUBCASE("several") {
        client.send(RawClient::message("Count", R"({"to":100})", R"(,"more":true)"));
        for (int i = 1; i <= 100; ++i) {
            const auto reply = client.read();
            REQUIRE(reply);
            CHECK(reply->parameters.at("number").as_int64() == i);
            CHECK(reply->continues == (i < 100));
        }
    }
    SUBCASE("one, without") {
        const auto reply = client.call("Count", R"({"to":100})");
        CHECK(reply.parameters.at("number").as_int64() == 100);
        CHECK_FALSE(reply.continues);
    }
    SUBCASE("one, from a method that has one") {
        const auto reply = client.call("Ping", R"({"text":"x"})", R"(,"more":true)");
        CHECK(reply.parameters.at("text").as_string() == "x");
        CHECK_FALSE(reply.continues);
    }
    CHECK(client.call("Ping", R"({"text":"x"})").error.empty());
}

TEST_CASE("a client that reads slowly gets fewer answers, and the last") {
    Harness harness;
    RawClient client{harness};
    client.send(RawClient::message("Watch", R"({"changes":200000})", R"(,"more":true)"));
    // Nothing is read: the state goes on, the kernel's queue fills, and nothing piles up behind it.
    harness.run_until([&] {
        harness.run_ready();
        return true;
    });
    std::size_t answers = 0;
    std::int64_t last = -1;
    while (true) {
        const auto reply = client.read();
        REQUIRE(reply);
        const auto number = reply->parameters.at("number").as_int64();
        CHECK_FALSE(number <= last);
        last = number;
        ++answers;
        if (!reply->continues) {
            break;
        }
    }
    CHECK(last == 200'000);
    CHECK(answers < 200'000);
    MESSAGE(answers << " answers for 200000 changes");
}

TEST_CASE("descriptors go both ways") {
    Harness harness;
    RawClient client{harness};
    SUBCASE("to the client") {
        const auto reply = client.call("Open", R"({"content":"hello"})");
        REQUIRE(client.descriptors.size() == 1);
        CHECK(reply.parameters.at("descriptor").as_int64() == 0);
        char buffer[16];
        CHECK(::pread(client.descriptors[0].value(), buffer, sizeof buffer, 0) == 5);
        client.call("Ping", R"({"text":"x"})");
        CHECK(client.descriptors.empty());
    }
    SUBCASE("to the server, each with its own call") {
        for (const char* content : {"a", "b"}) {
            std::vector<UniqueFd> files;
            files.push_back(file_with(content));
            files.push_back(file_with("second"));
            client.send(RawClient::message("Read"), std::move(files));
        }
        client.send(RawClient::message("Read"));
        CHECK(client.read()->parameters.at("contents") == parse(R"(["a","second"])"));
        CHECK(client.read()->parameters.at("contents") == parse(R"(["b","second"])"));
        CHECK(client.read()->parameters.at("contents") == parse("[]"));
    }
}

TEST_CASE("descriptors that a method does not take are closed while it runs") {
    Harness harness;
    RawClient client{harness};
    int ends[2] = {-1, -1};
    REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    const UniqueFd reader{wharf::adopt_fd, ends[0]};
    std::vector<UniqueFd> list;
    list.emplace_back(wharf::adopt_fd, ends[1]);
    client.send(RawClient::message("Hang"), std::move(list));
    list.clear();
    harness.run_until([&] { return harness.state.hanging == 1; });
    harness.run_until([&] { // no writer is left
        char byte = 0;
        return ::read(reader.value(), &byte, 1) == 0;
    });
}

TEST_CASE("a sender of single bytes is understood") {
    Harness harness;
    RawClient client{harness};
    const std::string text = RawClient::message("Ping", R"({"text":"slow"})");
    for (const char byte : text) {
        client.send({&byte, 1});
        harness.run_ready();
    }
    CHECK(client.read()->parameters.at("text").as_string() == "slow");
}

TEST_CASE("what is no call ends the connection, after the calls before it") {
    Harness harness;
    RawClient client{harness};
    client.send(RawClient::message("Ping", R"({"text":"before"})"));
    SUBCASE("not JSON") {
        client.send("GET / HTTP/1.1\r\n\r\n"s + '\0');
    }
    SUBCASE("empty") {
        client.send(std::string(1, '\0'));
    }
    SUBCASE("an answer") {
        client.send(R"({"parameters":{}})"s + '\0');
    }
    SUBCASE("a member twice") {
        client.send(R"({"method":"org.example.demo.Hang","method":"x.y.Z"})"s + '\0');
    }
    CHECK(client.read()->parameters.at("text").as_string() == "before");
    CHECK(client.is_closed_by_server());
    harness.run_until([&] { return harness.server.connections() == 0; });
    CHECK(harness.state.hung == 0);
}

TEST_CASE("the kernel says who calls") {
    Harness harness;
    RawClient client{harness};
    const auto reply = client.call("WhoAmI");
    CHECK(reply.parameters.at("uid").as_int64() == ::getuid());
    CHECK(reply.parameters.at("gid").as_int64() == ::getgid());
    CHECK(reply.parameters.at("pid").as_int64() == ::getpid());
}

TEST_CASE("who may not connect is told so, once") {
    std::vector<wharf::access::Peer> asked;
    wharf::service::ServerOptions options;
    options.message_timeout = std::chrono::milliseconds{30};
    Harness harness{options, [&](const wharf::access::Peer& peer) -> wharf::access::Rights {
                        asked.push_back(peer);
                        throw wharf::Error{wharf::ErrorKind::forbidden, "not you", "ask somebody"};
                    }};
    RawClient client{harness};
    SUBCASE("for the first call") {
        const auto reply = client.call("Ping", R"({"text":"x"})");
        CHECK(reply.error == "org.wharf.Forbidden");
        CHECK(reply.parameters.at("message").as_string() == "not you");
        CHECK(reply.parameters.at("hint").as_string() == "ask somebody");
    }
    SUBCASE("not for one-way calls") {
        client.send(RawClient::message("Ping", R"({"text":"x"})", R"(,"oneway":true)"));
    }
    SUBCASE("and is dropped when it says nothing") {}
    CHECK(client.is_closed_by_server());
    CHECK(harness.state.pings.empty());
    REQUIRE_FALSE(asked.empty());
    CHECK(asked[0].uid == ::getuid());
    std::vector<gid_t> groups(static_cast<std::size_t>(::getgroups(0, nullptr)));
    REQUIRE(::getgroups(static_cast<int>(groups.size()), groups.data()) >= 0);
    CHECK(asked[0].groups == groups);
}

TEST_CASE("a right that is taken away is gone with the next call") {
    bool may_connect = true;
    Harness harness{{}, [&](const wharf::access::Peer&) {
                        if (!may_connect) {
                            throw wharf::Error{wharf::ErrorKind::forbidden, "not any more"};
                        }
                        return wharf::access::Rights{.connect = true};
                    }};
    RawClient client{harness};
    CHECK(client.call("Ping", R"({"text":"x"})").error.empty());
    may_connect = false;
    CHECK(client.call("Ping", R"({"text":"x"})").error == "org.wharf.Forbidden");
    CHECK(client.is_closed_by_server());
    CHECK(harness.state.pings.size() == 1);
}

TEST_CASE("few of those who may not connect are listened to; the others are told at once") {
    wharf::service::ServerOptions options;
    options.max_strangers = 2;
    Harness harness{options, [](const wharf::access::Peer&) -> wharf::access::Rights {
                        throw wharf::Error{wharf::ErrorKind::forbidden, "not you"};
                    }};
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(std::make_unique<RawClient>(harness));
    }
    CHECK(harness.server.connections() == 2);
    for (std::size_t i = 2; i < clients.size(); ++i) {
        CHECK(clients[i]->read()->error == "org.wharf.Forbidden");
        CHECK(clients[i]->is_closed_by_server());
    }
    CHECK(clients[0]->call("Ping", R"({"text":"x"})").error == "org.wharf.Forbidden");
}
