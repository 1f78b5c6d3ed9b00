#include "base/scope_exit.hpp"
#include "daemon/async/io_threads.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/transfer/flights.hpp"
#include "tests/unit/net/client_fixture.hpp"
#include "tests/unit/store/fixture.hpp"

#include <boost/asio/post.hpp>

using namespace wharf;
using namespace std::chrono_literals;
using hub::FileSource;
using hub::RepoType;
using hub::Token;
using test::Peer;

namespace {

const std::string content = "the same bytes";
const std::string commit_of_alice(40, 'a');
const std::string commit_of_bob(40, 'b');

const FileSource alice{
    {RepoType::model, "hush/hidden"}, commit_of_alice, "hush.bin", Token{"hf_alice"}};
const FileSource bob{{RepoType::model, "org/open"}, commit_of_bob, "own.bin", Token{"hf_bob"}};

hub::TreeEntry entry_of(const FileSource& source) {
    return test::entry(source.path, content);
}

/// What somebody heard of a flight: reasons while it waited, the Error or nothing at its end.
struct Heard {
    std::string all() const {
        return (error ? error->message() + " | " + error->hint() : "") + " | " + reasons;
    }
    std::optional<Error> error;
    std::string reasons;
    bool over = false;
};

using Answering = std::function<std::string(const std::string& request)>;

/// Flights over a Hub on loopback that answers every request by a function.
struct Fixture {
    explicit Fixture(Answering answering)
        : server{[answering](Peer& peer, int) {
              for (auto request = peer.read_request(); !request.empty();
                   request = peer.read_request()) {
                  const auto said = answering(request);
                  if (said.empty()) {
                      return;
                  }
                  peer.write(said);
              }
          }} {}
    Awaitable<> hear(FileSource source, Heard* heard) {
        const auto ticket = flights.join(source, entry_of(source), false);
        async::TaskGroup listening{context.get_executor()};
        listening.spawn("reasons", listen(*ticket, heard));
        try {
            co_await ticket->landed();
        } catch (const Error& error) {
            heard->error = error;
        }
        listening.cancel();
        co_await listening.join();
        heard->over = true;
    }
    Awaitable<> hear_all(std::vector<std::pair<FileSource, Heard*>> askers) {
        async::TaskGroup asking{context.get_executor()};
        for (const auto& [source, heard] : askers) {
            asking.spawn("asker", hear(source, heard));
        }
        co_await asking.join();
        co_await flights.stop();
    }
    /// Alice asks first, so it is in her name that the Hub is asked.
    void both(Heard& first, Heard& second) {
        test::run(hear_all({{alice, &first}, {bob, &second}}), context, 20s);
    }

    test::TestServer server;
    test::StoreFixture home;
    asio::io_context context;
    async::BlockingPool pool{2};
    async::BufferPool buffers{1 << 20};
    async::IoThreads threads{1};
    scheduling::RateGate gate;
    net::Url endpoint =
        net::Url::parse("http://127.0.0.1:" + std::to_string(server.port())).value();
    transfer::Lanes lanes{threads, test::quick_options(), endpoint,
                          [this](const hub::QuotaNews& news) {
                              asio::post(context, [this, news] { gate.observe(news); });
                          }};
    scheduling::Connections connections{{}};
    scheduling::Bandwidth bandwidth{context.get_executor()};
    transfer::Flights flights{{.executor = context.get_executor(),
                               .lanes = lanes,
                               .store = home.store(),
                               .pool = pool,
                               .buffers = buffers,
                               .gate = gate,
                               .connections = connections,
                               .bandwidth = bandwidth,
                               .endpoint = endpoint,
                               .options = quick()}};

  private:
    static transfer::TransferOptions quick() {
        transfer::TransferOptions options;
        options.retry.max_failures = 3;
        options.retry.initial = 40ms;
        options.retry.ceiling = 40ms;
        return options;
    }
    static Awaitable<> listen(transfer::Ticket& ticket, Heard* heard) {
        for (;;) {
            if (!heard->reasons.ends_with(ticket.reason())) {
                heard->reasons += ticket.reason();
            }
            co_await async::sleep_for(2ms);
        }
    }
};

std::string said(const std::string& status, const std::string& fields, const std::string& body) {
    return "HTTP/1.1 " + status + "\r\n" + fields +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

bool is_from(const FileSource& source, const std::string& request) {
    return request.find("/" + source.repo.name + "/") != std::string::npos;
}

void check_silent_about(const FileSource& other, const Heard& heard) {
    const std::string all = heard.all();
    CAPTURE(all);
    for (const std::string& word :
         {std::string{"hush"}, other.repo.name, other.path, other.commit}) {
        CHECK(all.find(word) == std::string::npos);
    }
}

} // namespace

TEST_CASE("what makes a flight fail or wait tells nobody what others asked for") {
    const std::string words =
        R"({"error":"model hush/hidden has no hush.bin at )" + commit_of_alice + "\"}";
    for (const std::string& answer :
         {said("503 Busy", "", words),
          said("418 Teapot", "X-Error-Message: hush/hidden\r\n", words), said("400 Bad", "", words),
          said("200 OK", "X-Repo-Commit: " + commit_of_bob + "\r\n", "x"),
          said("200 OK", "X-Linked-Size: 77\r\n", "x"), said("200 OK", "", "the wrong one!"),
          said("200 OK", "", "too short"), said("200 OK", "Content-Encoding: br\r\n", content),
          said("302 Found", "Location: ftp://hush/hidden/hush.bin\r\n", words),
          said("302 Found", "Location: /hush/hidden/resolve/x/hush.bin\r\n", words),
          said("429 Slow", "Retry-After: 7200\r\n", words), said("206 Part", "", content),
          said("204 None", "", ""), std::string{}}) {
        CAPTURE(answer);
        Fixture box{[answer](const std::string&) { return answer; }};
        Heard first;
        Heard second;
        box.both(first, second);
        REQUIRE(first.error);
        REQUIRE(second.error);
        CHECK(first.error->kind() == second.error->kind());
        CHECK(first.error->message().find("fetching hush.bin: ") == 0);
        CHECK(second.error->message().find("fetching own.bin: ") == 0);
        check_silent_about(alice, second);
    }
}

TEST_CASE("why a flight waits names hosts only") {
    std::atomic<int> asked = 0;
    Fixture box{[&asked](const std::string&) {
        return ++asked < 3 ? said("503 Busy", "", "hush") : said("200 OK", "", content);
    }};
    Heard first;
    Heard second;
    box.both(first, second);
    CHECK_FALSE(second.error);
    CHECK(second.reasons.find("trying again") != std::string::npos);
    check_silent_about(alice, second);
}

TEST_CASE("who is refused hears it of his own repo, and the next one is asked for") {
    for (const std::string code :
         {"GatedRepo", "RepoNotFound", "RevisionNotFound", "EntryNotFound"}) {
        CAPTURE(code);
        Fixture box{[code](const std::string& request) {
            return is_from(alice, request) ? said("403 No", "X-Error-Code: " + code + "\r\n", "")
                                           : said("200 OK", "", content);
        }};
        Heard first;
        Heard second;
        box.both(first, second);
        REQUIRE(first.error);
        CHECK(first.error->message().find("fetching hush.bin: ") == 0);
        CHECK_FALSE(second.error);
        check_silent_about(alice, second);
    }
}

TEST_CASE("nobody waits for the quota that another one has used up") {
    const auto limited = [](const std::string& request) {
        return request.find("hf_alice") != std::string::npos
                   ? said("429 Slow", "Retry-After: 3000\r\n", "")
                   : said("200 OK", "", content);
    };
    SUBCASE("he is there when it turns out") {
        Fixture box{limited};
        Heard first;
        Heard second;
        box.both(first, second);
        CHECK_FALSE(second.error);
        CHECK_FALSE(first.error); // the bytes are there for both
    }
    SUBCASE("he comes while the first one waits") {
        Fixture box{limited};
        hub::QuotaNews news;
        news.host = box.endpoint.authority();
        news.account = {.token = alice.token, .bucket = hub::Bucket::files};
        news.at = BootClock::now();
        news.refused = true;
        news.wait = 200s;
        box.gate.observe(news);
        Heard first;
        Heard second;
        const auto story = [&]() -> Awaitable<> {
            async::TaskGroup asking{box.context.get_executor()};
            asking.spawn("alice", box.hear(alice, &first));
            while (first.reasons.empty()) {
                co_await async::sleep_for(1ms);
            }
            asking.spawn("bob", box.hear(bob, &second));
            co_await asking.join();
            co_await box.flights.stop();
        };
        test::run(story(), box.context, 20s);
        CHECK_FALSE(second.error);
        CHECK_FALSE(first.error);
    }
}

TEST_CASE("when all are refused each hears of his own repo") {
    Fixture box{
        [](const std::string&) { return said("403 No", "X-Error-Code: GatedRepo\r\n", ""); }};
    Heard first;
    Heard second;
    box.both(first, second);
    REQUIRE(first.error);
    REQUIRE(second.error);
    CHECK(first.error->kind() == ErrorKind::gated);
    CHECK(first.error->message().find("hush/hidden") != std::string::npos);
    CHECK(second.error->kind() == ErrorKind::gated);
    CHECK(second.error->message().find("org/open") != std::string::npos);
    check_silent_about(alice, second);
}

TEST_CASE("who comes while the last one is refused is asked for himself") {
    Fixture box{[](const std::string& request) {
        return is_from(alice, request) ? said("403 No", "X-Error-Code: GatedRepo\r\n", "")
                                       : said("200 OK", "", content);
    }};
    Heard first;
    Heard second;
    const auto story = [&]() -> Awaitable<> {
        async::TaskGroup asking{box.context.get_executor()};
        asking.spawn("alice", box.hear(alice, &first));
        while (!first.over) {
            co_await async::sleep_for(1ms);
        }
        asking.spawn("bob", box.hear(bob, &second));
        co_await asking.join();
        co_await box.flights.stop();
    };
    test::run(story(), box.context, 20s);
    REQUIRE(first.error);
    CHECK(first.error->kind() == ErrorKind::gated);
    CHECK_FALSE(second.error);
}

TEST_CASE("what is wrong with one repo's folder names it to those who ask by that repo") {
    Fixture box{[](const std::string&) { return said("200 OK", "", content); }};
    box.home.store();
    test::write(box.home.cache() / "models--hush--hidden", "in the way");
    Heard first;
    Heard second;
    box.both(first, second);
    REQUIRE(first.error);
    REQUIRE(second.error);
    CHECK(first.error->message().find("models--hush--hidden") != std::string::npos);
    CHECK(second.error->kind() == ErrorKind::storage);
    check_silent_about(alice, second);
}

TEST_CASE("lists of flights name the one in whose name the Hub is asked") {
    Fixture box{[](const std::string&) { return std::string{}; }};
    const auto first = box.flights.join(alice, entry_of(alice), false);
    {
        const auto second = box.flights.join(bob, entry_of(bob), false);
        CHECK(box.flights.status().at(0).path == alice.path);
    }
    auto gone = box.flights.join(bob, entry_of(bob), false);
    CHECK(box.flights.status().at(0).repo == alice.repo);
    test::run(box.flights.stop(), box.context);
}
