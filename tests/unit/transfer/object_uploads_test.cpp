#include "tests/unit/transfer/object_uploads_fixture.hpp"

#include <algorithm>

using namespace wharf;
using namespace std::chrono_literals;
using test::check_arrived;
using test::chunk;
using test::Push;
using test::seven_parts;
using test::until_seen;
using test::UploadFixture;

TEST_CASE("an object in one request is put, taken down and verified") {
    UploadFixture box;
    Push push{test::some_bytes(700'000)};
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(box.depot.count("PUT") == 1);
    CHECK(box.depot.count("POST /verify") == 1);
    CHECK(push.record.kept == std::vector<bool>{false});
    CHECK(push.record.known.action.href.find("/whole") != std::string::npos);
}

TEST_CASE("parts go at the same time, are all taken down, and put together in order") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    std::size_t known = 0;
    box.depot.before = [&](const std::string& request) {
        if (request.starts_with("POST /complete")) {
            known = push.record.parts;
        }
        return std::string{};
    };
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(known == 7);
    CHECK(box.depot.count("PUT") == 7);
    CHECK(box.depot.most_at_once() > 1);
    CHECK(box.depot.most_at_once() <= 4);
    CHECK(box.depot.count("POST /complete") == 1);
    CHECK(push.record.etags.at(6) == "\"etag-6\"");
}

TEST_CASE("a part that fails is sent again alone, to the same URL") {
    for (const std::string& trouble :
         {test::refusal(503, "slow down"), test::refusal(500), std::string{"cut"},
          test::refusal(429, "", "Retry-After: 0\r\n"), test::answer("")}) { // without an ETag
        CAPTURE(trouble);
        UploadFixture box;
        box.depot.chunk = chunk;
        Push push = seven_parts();
        int failures = 2; // a kept connection that is cut is replaced silently
        box.depot.before = [&](const std::string& request) {
            return request.starts_with("PUT /part/3") && failures-- > 0 ? trouble : std::string{};
        };
        box.run_all({&push});
        check_arrived(box, push);
        CHECK(box.depot.count("PUT /part/3") == 3);
        CHECK(box.depot.count("PUT") == 9);
        CHECK(box.depot.count("POST /org/name.git") == 1);
    }
}

TEST_CASE("a part that never goes ends the upload; the others are in the record") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    box.depot.before = [](const std::string& request) {
        return request.starts_with("PUT /part/6") ? test::refusal(503) : std::string{};
    };
    box.run_all({&push});
    REQUIRE(push.error);
    CHECK(push.error->kind() == ErrorKind::unavailable);
    CHECK(push.record.etags.size() == 6);
    CHECK(push.sent->load() == 6 * chunk);
}

TEST_CASE("what the Hub has is not sent") {
    UploadFixture box;
    Push push{"content"};
    box.depot.there.insert(push.oid);
    box.run_all({&push});
    CHECK(push.done);
    CHECK(push.sent->load() == push.content.size());
    CHECK(box.depot.count("PUT") == 0);
    CHECK(push.record.kept.empty());
}

TEST_CASE("an object's refusal is its own; questions of one moment share a request") {
    UploadFixture box;
    Push refused{"one"};
    Push sent{"two"};
    Push other_account{"three", 1001};
    box.depot.refused[refused.oid] = "too bad";
    box.run_all({&refused, &sent, &other_account});
    REQUIRE(refused.error);
    CHECK(refused.error->message().find("too bad") != std::string::npos);
    check_arrived(box, sent);
    check_arrived(box, other_account);
    CHECK(box.depot.count("POST /org/name.git") == 2); // the other one has another token
}

TEST_CASE("a request asks for no more objects than the Hub takes") {
    UploadFixture box;
    std::vector<std::unique_ptr<Push>> pushes;
    std::vector<Push*> all;
    for (int i = 0; i < 300; ++i) {
        pushes.push_back(std::make_unique<Push>("content " + std::to_string(i)));
        all.push_back(pushes.back().get());
        box.depot.there.insert(all.back()->oid);
    }
    box.run_all(all);
    CHECK(std::ranges::all_of(all, &Push::done));
    CHECK(box.depot.count("POST /org/name.git") == 2);
}

TEST_CASE("what cannot be asked is told to all who asked together") {
    UploadFixture box;
    box.depot.before = [](const std::string&) { return test::refusal(403); };
    Push one{"one"};
    Push two{"two"};
    box.run_all({&one, &two});
    REQUIRE(one.error);
    REQUIRE(two.error);
    CHECK(one.error->kind() == ErrorKind::forbidden);
    CHECK(box.depot.count("POST") == 1);
}

TEST_CASE("an object that two want is sent once") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push one = seven_parts();
    Push two = seven_parts();
    box.run_all({&one, &two});
    check_arrived(box, one);
    check_arrived(box, two);
    CHECK(box.depot.count("PUT") == 7);
    CHECK(two.record.kept.empty());
}

TEST_CASE("accounts do not wait for each other's sending") {
    UploadFixture box;
    Push one{test::some_bytes(1000)};
    Push two{test::some_bytes(1000), 1001};
    box.depot.before = [&](const std::string&) {
        box.depot.there.clear();
        return std::string{};
    };
    box.run_all({&one, &two});
    check_arrived(box, one);
    check_arrived(box, two);
    CHECK(box.depot.count("PUT") == 2);
}

TEST_CASE("when the one who sends is cancelled the next goes on with what was sent") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push one = seven_parts();
    Push two = seven_parts();
    std::atomic<bool> stuck = true;
    box.depot.before = [&](const std::string& request) {
        return request.starts_with("PUT /part/6") && stuck ? test::refusal(503) : std::string{};
    };
    const auto story = [&]() -> Awaitable<> {
        async::TaskGroup first{box.context.get_executor()};
        async::TaskGroup second{box.context.get_executor()};
        first.spawn("one", box.send(one));
        co_await until_seen(box, "PUT", 1);
        second.spawn("two", box.send(two));
        co_await until_seen(box, "PUT /part/6", 1);
        while (one.record.etags.size() < 6) {
            co_await async::sleep_for(1ms);
        }
        stuck = false;
        first.cancel();
        co_await first.join();
        co_await second.join();
    };
    auto options = UploadFixture::quick();
    options.retry.max_failures = 100;
    box.uploads.set_options(options);
    test::run(story(), box.context, 20s);
    CHECK_FALSE(one.done);
    check_arrived(box, two);
    CHECK(box.depot.count("PUT /part/0") == 1);
    CHECK(box.depot.count("POST /org/name.git") == 1);
    CHECK(two.record.kept == std::vector<bool>{false});
    CHECK(two.record.etags.size() == 7);
}

TEST_CASE("one who fails does not make the next fail") {
    UploadFixture box;
    Push one{test::some_bytes(1000)};
    Push two{test::some_bytes(1000)};
    std::filesystem::resize_file(one.home / "file", 10);
    box.run_all({&one, &two});
    REQUIRE(one.error);
    CHECK(one.error->kind() == ErrorKind::integrity);
    check_arrived(box, two);
}

TEST_CASE("bytes go no faster than they may") {
    UploadFixture box;
    box.depot.chunk = chunk;
    box.bandwidth.set_limits({.all = 2'000'000, .by_class = {}, .by_user = {}});
    Push push = seven_parts();
    const auto begin = std::chrono::steady_clock::now();
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(std::chrono::steady_clock::now() - begin >= 190ms); // a tenth of a second is the burst
}

TEST_CASE("while it waits its note says why") {
    UploadFixture box;
    Push push{"content"};
    std::string reasons;
    int failures = 2;
    box.depot.before = [&](const std::string& request) {
        return request.starts_with("PUT") && failures-- > 0 ? test::refusal(503) : std::string{};
    };
    const auto story = [&]() -> Awaitable<> {
        async::TaskGroup group{box.context.get_executor()};
        group.spawn("push", box.send(push));
        while (group.size() > 0) {
            reasons += push.note->reason;
            co_await async::sleep_for(1ms);
        }
    };
    test::run(story(), box.context, 20s);
    check_arrived(box, push);
    CHECK(reasons.find("trying again") != std::string::npos);
    CHECK(reasons.find("sig=") == std::string::npos);
}
