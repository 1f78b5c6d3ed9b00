// What happens after failures, refusals, restarts and cancellation.
#include "tests/unit/transfer/object_uploads_fixture.hpp"

using namespace wharf;
using namespace std::chrono_literals;
using test::check_arrived;
using test::chunk;
using test::Push;
using test::seven_parts;
using test::until_seen;
using test::UploadFixture;

TEST_CASE("URLs that expire in the middle are asked for anew; the same upload goes on") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    box.depot.before = [&](const std::string& request) {
        if (request.starts_with("PUT /part/5")) { // from now on
            box.depot.takes_signature = box.depot.signature = "s2";
        }
        return std::string{};
    };
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(box.depot.count("POST /org/name.git") == 2);
    CHECK(push.record.kept == std::vector<bool>{false, true});
    for (int part = 0; part < 4; ++part) {
        CHECK(box.depot.count("PUT /part/" + std::to_string(part)) <= 2);
    }
    CHECK(box.depot.count("PUT /part/0") == 1);
    CHECK(push.record.known.action.href.find("s2") != std::string::npos);
}

TEST_CASE("a new upload of parts begins with none") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    box.depot.before = [&](const std::string& request) {
        if (request.starts_with("PUT /part/5")) {
            box.depot.takes_signature = box.depot.signature = "s2";
            box.depot.upload = "upload-2";
        }
        return std::string{};
    };
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(push.record.kept == std::vector<bool>{false, false});
    CHECK(box.depot.count("PUT /part/0") == 2);
    CHECK(push.record.etags.size() == 7);
}

TEST_CASE("URLs that are refused as soon as they are given end it") {
    UploadFixture box;
    box.depot.takes_signature = "another";
    Push push{"content"};
    box.run_all({&push});
    REQUIRE(push.error);
    CHECK(push.error->kind() == ErrorKind::unavailable);
    CHECK(box.depot.count("PUT") <= 3);
    CHECK(push.sent->load() == 0);
}

TEST_CASE("after a restart only the rest is sent, without asking for URLs") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    box.depot.before = [](const std::string& request) {
        return request.starts_with("PUT /part/6") ? test::refusal(503) : std::string{};
    };
    box.run_all({&push});
    REQUIRE(push.error);

    box.depot.before = nullptr;
    push.earlier = push.record.left();
    push.earlier->etags.erase(push.earlier->etags.begin() + 2); // its answer was lost
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(box.depot.count("PUT /part/1") == 1);
    CHECK(box.depot.count("PUT /part/2") == 2);
    CHECK(box.depot.count("POST /org/name.git") == 1);
    CHECK(push.record.kept.size() == 1);
}

TEST_CASE("URLs of an earlier run that have expired are asked for anew") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    box.depot.before = [](const std::string& request) {
        return request.starts_with("PUT /part/6") ? test::refusal(503) : std::string{};
    };
    box.run_all({&push});
    box.depot.before = nullptr;
    box.depot.takes_signature = box.depot.signature = "s2";
    push.earlier = push.record.left();
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(box.depot.count("PUT /part/1") == 1);
    CHECK(push.record.kept == std::vector<bool>{false, true});
}

TEST_CASE("when the answer to putting it together is lost nothing is sent again") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    box.depot.before = [&](const std::string& request) {
        if (request.starts_with("POST /complete") && box.depot.there.empty()) {
            box.depot.there.insert(push.oid);
            return std::string{"cut"};
        }
        return std::string{};
    };
    box.run_all({&push});
    CHECK(push.done);
    CHECK(box.depot.count("PUT") == 7);
    CHECK(box.depot.count("POST /complete") == 2);
    CHECK(push.sent->load() == push.content.size());
}

TEST_CASE("a kill after putting it together costs one question") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    box.run_all({&push});
    check_arrived(box, push);
    push.earlier = push.record.left();
    push.done = false;
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(box.depot.count("PUT") == 7);
    CHECK(box.depot.count("POST /org/name.git") == 2);
}

TEST_CASE("an upload that is not known any more is begun again") {
    UploadFixture box;
    box.depot.chunk = chunk;
    Push push = seven_parts();
    int lost = 2;
    box.depot.before = [&](const std::string& request) {
        return request.starts_with("POST /complete") && lost-- > 0 ? test::refusal(404)
                                                                   : std::string{};
    };
    box.run_all({&push});
    check_arrived(box, push);
    CHECK(push.record.kept == std::vector<bool>{false, true, false});
    CHECK(box.depot.count("PUT") == 14);
}

TEST_CASE("bytes that are not what was announced are sent once more, then it is over") {
    UploadFixture box;
    Push push{"content"};
    box.depot.before = [&](const std::string& request) {
        box.depot.there.clear();
        return request.starts_with("POST /verify") ? test::refusal(422, R"({"error":"wrong"})")
                                                   : std::string{};
    };
    box.run_all({&push});
    REQUIRE(push.error);
    CHECK(push.error->kind() == ErrorKind::integrity);
    CHECK(box.depot.count("PUT") == 2);
}

TEST_CASE("a file that changed is not sent again") {
    UploadFixture box;
    Push push{"content"};
    push.oid = sha256_hex("other content");
    box.depot.before = [&](const std::string& request) {
        box.depot.there.clear();
        return request.starts_with("POST /verify") ? test::refusal(422) : std::string{};
    };
    box.run_all({&push});
    REQUIRE(push.error);
    CHECK(push.error->kind() == ErrorKind::integrity);
    CHECK(push.error->message().find("changed") != std::string::npos);
    CHECK(box.depot.count("PUT") == 1);
}

TEST_CASE("a file that became shorter is an integrity error") {
    UploadFixture box;
    Push push{test::some_bytes(700'000)};
    std::filesystem::resize_file(push.home / "file", 300'000);
    box.run_all({&push});
    REQUIRE(push.error);
    CHECK(push.error->kind() == ErrorKind::integrity);
    CHECK(push.sent->load() == 0);
}

TEST_CASE("when cancelled, parts that arrived are in the record and nothing else counts") {
    for (const int requests : {1, 2, 3, 5, 8, 9, 10}) {
        CAPTURE(requests);
        UploadFixture box;
        box.depot.chunk = chunk;
        Push push = seven_parts();
        const auto story = [&]() -> Awaitable<> {
            async::TaskGroup group{box.context.get_executor()};
            group.spawn("push", box.send(push));
            co_await until_seen(box, "", requests);
            group.cancel();
            co_await group.join();
        };
        test::run(story(), box.context, 20s);
        std::uint64_t recorded = 0;
        for (const auto& [part, etag] : push.record.etags) {
            recorded += part == 6 ? 77 : chunk;
        }
        CHECK((push.done || push.sent->load() == recorded));

        push.earlier = push.record.kept.empty() ? std::nullopt : std::optional{push.record.left()};
        push.done = false;
        push.error.reset();
        box.run_all({&push});
        check_arrived(box, push);
        for (const auto& [part, etag] : push.record.etags) {
            CHECK(box.depot.count("PUT /part/" + std::to_string(part)) <= 2);
        }
    }
}
