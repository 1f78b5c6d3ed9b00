#include "base/error.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/wire.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <doctest/doctest.h>

using namespace wharf;
using namespace wharf::cli;

namespace {

json::object object(const char* text) {
    return json::parse(text).as_object();
}

constexpr const char* commit = "1234567890abcdef1234567890abcdef12345678";

json::object listing_part(const char* id, const char* etag) {
    json::object file = object(R"({"name": "a", "size": 3, "cached": false, "path": null})");
    file["etag"] = etag;
    json::object part = object(R"({"snapshot": "/s", "stale": false})");
    part["commit"] = id;
    part["files"] = json::array{file};
    return part;
}

} // namespace

TEST_CASE("a request says what was asked and nothing else") {
    Selection selection;
    selection.repo = "org/model";
    CHECK(json::serialize(selection_parameters(selection, std::nullopt)) ==
          R"({"repo":"org/model","repo_type":"model","revision":"main"})");
    selection.files = {"a", "b"};
    selection.include = {"*\\"};
    const json::object full = selection_parameters(selection, "t");
    CHECK(json::serialize(full.at("files")) == R"(["a","b"])");
    CHECK(full.at("include").as_array().at(0).as_string() == "*\\");
    CHECK(!full.contains("exclude"));
    CHECK(full.at("token").as_string() == "t");
}

TEST_CASE("answers of Download: one of three, null is as good as absent") {
    CHECK(read_download_reply(object(R"({"job": 7, "progress": null})")).job == 7);
    const auto reply = read_download_reply(object(R"({"progress": {"state": "running",
        "reason": null, "files_done": 1, "files_total": 2, "bytes_done": 3, "bytes_total": 4,
        "bytes_per_second": 5, "files": [{"path": "x", "done": 1, "total": 2}]}, "result": null})"));
    REQUIRE(reply.progress);
    CHECK(reply.progress->reason.empty());
    CHECK(reply.progress->bytes_per_second == 5);
    CHECK(reply.progress->files.at(0).path == "x");
    CHECK(!reply.result);
    const auto last = read_download_reply(object(
        R"({"result": {"commit": "c", "snapshot": "/s", "files": ["/s/a"], "stale": true}})"));
    REQUIRE(last.result);
    CHECK(last.result->stale);
    CHECK(!last.result->why);
    CHECK(last.result->files.at(0) == "/s/a");
}

TEST_CASE("answers that break the interface are refused") {
    for (const char* bad :
         {R"({"job": "7"})", R"({"progress": 1})", R"({"progress": {}})", R"({"result": []})",
          R"({"result": {"commit": 1}})",
          R"({"result": {"commit": "c", "snapshot": "/s", "files": [1], "stale": true}})",
          R"({"result": {"commit": "c", "snapshot": "/s", "files": {}, "stale": true}})",
          R"({"progress": {"state": "running", "files_done": -1}})"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(read_download_reply(object(bad)), Error);
    }
}

TEST_CASE("a listing is put together and checked") {
    const std::string sha1(40, 'a');
    Listing listing;
    read_listing(listing_part(commit, sha1.c_str()), listing);
    read_listing(listing_part(commit, std::string(64, 'b').c_str()), listing);
    CHECK(listing.commit == commit);
    CHECK(listing.files.size() == 2);
    CHECK(!listing.files[0].path);
    const std::string other_commit(40, '0');
    CHECK_THROWS_AS(read_listing(listing_part(other_commit.c_str(), sha1.c_str()), listing), Error);
    CHECK_THROWS_AS(read_listing(listing_part(commit, "../x"), listing), Error);
    Listing fresh;
    CHECK_THROWS_AS(read_listing(listing_part("main", sha1.c_str()), fresh), Error);
}

TEST_CASE("failures from the socket keep their words and get an exit code") {
    const Failure gated =
        remote_failure("org.wharf.Downloads.Download",
                       {"org.wharf.Gated", object(R"({"message": "no", "hint": "ask"})")});
    CHECK(gated.code() == protocol::ExitCode::refused);
    CHECK(describe(gated) == "wharf: no\nhint: ask\n");
    CHECK(describe_json(gated) ==
          R"({"error":{"name":"org.wharf.Gated","message":"no","hint":"ask"},"exit_code":4})"
          "\n");
    const Failure odd = remote_failure("m", {"com.example.Odd", object(R"({"message": 7})")});
    CHECK(odd.code() == protocol::ExitCode::failed);
    CHECK(odd.message().find("com.example.Odd") != std::string::npos);
    const Failure parameter = remote_failure(
        "m", {std::string{protocol::invalid_parameter}, object(R"({"parameter": "x"})")});
    CHECK(parameter.code() == protocol::ExitCode::usage);
    CHECK(parameter.message().find("'x'") != std::string::npos);
    const Failure older = remote_failure(
        "org.wharf.Jobs.List", {std::string{protocol::interface_not_found}, json::object{}});
    CHECK(older.message().find("older") != std::string::npos);
}

TEST_CASE("failures of ours") {
    const Failure full{Error{ErrorKind::no_space, "disk full"}};
    CHECK(full.code() == protocol::ExitCode::no_space);
    CHECK(full.name() == "org.wharf.NoSpace");
    CHECK(describe(full) == "wharf: disk full\n");
    const Failure gone{client::DaemonUnreachable{ErrorKind::network, "nobody at /s", "start it"}};
    CHECK(gone.code() == protocol::ExitCode::no_daemon);
    CHECK(gone.name() == "org.wharf.client.NoDaemon");
}
