#include "daemon/hub/hub_client.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::Error;
using wharf::ErrorKind;
using wharf::net::Url;

namespace {

const std::string content = "0123456789";
const std::string cdn = "https://cdn.example/blob?sig=secret-query";

/// Asking for a file of ten bytes.
struct Asking : Setup {
    using Setup::Setup;

    wharf::Awaitable<FileBody> open(std::optional<ByteRange> range = {},
                                    std::optional<Url> location = {}) {
        FileSource source{repo, commit, "a/b c.bin", token};
        return client.open_file(std::move(source), etag, 10, range, std::move(location));
    }

    std::string etag = lfs_etag;
};

/// The Hub's answer for a large file: it is elsewhere.
Answer redirect(const std::string& location, const Fields& more = {}) {
    Answer answer{302, {{"Location", location}}, "Found. Redirecting"};
    answer.fields.insert(answer.fields.end(), more.begin(), more.end());
    return answer;
}

Answer part(const std::string& range, const std::string& body) {
    return {206, {{"Content-Range", range}}, body};
}

/// Several may have asked for these bytes, each by another name.
void check_names_nothing(const Error& error) {
    for (const std::string& word : {std::string{"org/name"}, std::string{"b c.bin"}, commit}) {
        CHECK_FALSE(contains(error.message(), word));
        CHECK_FALSE(contains(error.hint(), word));
    }
}

std::string text_of(FileBody& body) {
    return result_of(body.response.read_all(100));
}

} // namespace

TEST_CASE("a small file comes directly") {
    Asking asking;
    asking.etag = git_etag;
    asking.transport.answers = {
        {200,
         {{"ETag", "W/\"" + git_etag + "\""}, {"X-Repo-Commit", commit}, {"Content-Length", "10"}},
         content}};
    FileBody body = result_of(asking.open());
    CHECK(text_of(body) == content);
    CHECK(body.first == 0);
    CHECK_FALSE(body.range_ignored);
    CHECK(body.location.to_string() ==
          "https://hub.example/org/name/resolve/" + commit + "/a/b%20c.bin");
    CHECK(asking.transport.field(0, "Authorization") == "Bearer " + secret);
    CHECK(asking.transport.field(0, "Accept-Encoding") == "identity");
    CHECK_FALSE(asking.transport.requests[0].headers.find("Range"));
}

TEST_CASE("a large file comes from where the Hub says, without the token") {
    Asking asking;
    asking.transport.answers = {redirect(cdn, {{"X-Linked-Etag", '"' + lfs_etag + '"'},
                                               {"X-Linked-Size", "10"},
                                               {"X-Repo-Commit", commit}}),
                                {200, {{"ETag", '"' + std::string(32, 'f') + '"'}}, content}};
    FileBody body = result_of(asking.open());
    CHECK(text_of(body) == content);
    CHECK(body.location.to_string() == cdn);
    CHECK(asking.transport.asked(1) == cdn);
    CHECK(asking.transport.field(0, "Authorization") == "Bearer " + secret);
    CHECK_FALSE(asking.transport.requests[1].headers.find("Authorization"));
    CHECK(asking.transport.field(1, "Accept-Encoding") == "identity");
    CHECK(asking.transport.bodies_read >= 1); // the redirect's
}

TEST_CASE("the token follows to the endpoint's origin and nowhere else") {
    for (const auto& [location, same] : std::vector<std::pair<std::string, bool>>{
             {"/api/resolve-cache/models/org/name/x?y=z", true},
             {"https://hub.example/x", true},
             {"https://HUB.EXAMPLE:443/x", true},
             {"https://hub.example:444/x", false},
             {"https://hub.example.evil/x", false},
             {"https://cdn.hub.example/x", false},
             {"https://127.0.0.1/x", false},
             {"//evil.example/x", false}}) {
        CAPTURE(location);
        Asking asking;
        asking.transport.answers = {redirect(location), {200, {}, content}};
        result_of(asking.open());
        REQUIRE(asking.transport.requests.size() == 2);
        CHECK(asking.transport.requests[1].headers.find("Authorization").has_value() == same);
    }
}

TEST_CASE("the token comes back when a chain returns to the Hub") {
    Asking asking;
    asking.transport.answers = {redirect("https://evil.example/x"),
                                redirect("https://hub.example/y"),
                                redirect("https://evil.example:8443/z"),
                                {200, {}, content}};
    result_of(asking.open());
    std::string sent;
    for (const auto& request : asking.transport.requests) {
        sent += request.headers.find("Authorization") ? 'y' : 'n';
    }
    CHECK(sent == "ynyn");
}

TEST_CASE("an encrypted Hub does not send us to unencrypted hosts") {
    Asking asking;
    asking.transport.answers = {redirect("http://cdn.example/x?secret-query")};
    const Error error = error_of(asking.open());
    CHECK(error.kind() == ErrorKind::protocol);
    CHECK(contains(error.message(), "http://cdn.example"));
    CHECK(asking.transport.requests.size() == 1);
    const auto plain = Url::parse("http://cdn.example/x").value();
    CHECK(error_of(asking.open({}, plain)).kind() == ErrorKind::protocol);
    CHECK(asking.transport.requests.size() == 1);
}

TEST_CASE("an unencrypted Hub may send us anywhere, the token stays") {
    for (const char* location : {"http://cdn.example/x", "https://hub.example/x"}) {
        Asking asking{"http://hub.example"};
        asking.transport.answers = {redirect(location), {200, {}, content}};
        result_of(asking.open());
        CHECK(asking.transport.requests[0].headers.find("Authorization"));
        CHECK_FALSE(asking.transport.requests[1].headers.find("Authorization"));
    }
}

TEST_CASE("what the Hub says of a file must be what was listed") {
    const std::string other(64, 'b');
    for (const Fields& fields :
         {Fields{{"X-Linked-Etag", other}}, Fields{{"X-Linked-Etag", '"' + git_etag + '"'}},
          Fields{{"X-Linked-Size", "11"}}, Fields{{"X-Linked-Size", "ten"}},
          Fields{{"X-Repo-Commit", std::string(40, 'd')}}, Fields{{"X-Repo-Commit", "main"}}}) {
        for (const unsigned status : {200U, 302U}) {
            Asking asking;
            asking.transport.answers = {redirect(cdn, fields), {200, {}, content}};
            asking.transport.answers[0].status = status;
            const Error error = error_of(asking.open());
            CHECK(error.kind() == ErrorKind::protocol);
            CHECK(contains(error.message(), "has changed"));
            check_names_nothing(error);
            CHECK(asking.transport.requests.size() == 1);
        }
    }
}

TEST_CASE("the etag of a direct answer counts, a redirect's own and a foreign one do not") {
    const Fields other{{"ETag", '"' + std::string(64, 'b') + '"'}};
    Asking direct;
    direct.transport.answers = {{200, other, content}};
    CHECK(contains(error_of(direct.open()).message(), "has changed"));

    Asking redirected;
    redirected.transport.answers = {redirect(cdn, other), {200, other, content}};
    FileBody body = result_of(redirected.open());
    CHECK(text_of(body) == content);

    Asking linked; // the linked one decides
    linked.transport.answers = {{200, other, content}};
    linked.transport.answers[0].fields.emplace_back("X-Linked-Etag", lfs_etag);
    CHECK(result_of(linked.open()).first == 0);

    Asking strange;
    strange.transport.answers = {{200, {{"ETag", "\"5f3-abc\""}}, content}};
    CHECK(result_of(strange.open()).first == 0);
}

TEST_CASE("a foreign host's word about commit and size is nothing") {
    Asking asking;
    asking.transport.answers = {redirect(cdn),
                                {200, {{"X-Repo-Commit", "x"}, {"X-Linked-Size", "1"}}, content}};
    CHECK(result_of(asking.open()).first == 0);
}

TEST_CASE("a range is asked for at every hop and comes") {
    Asking asking;
    asking.transport.answers = {redirect(cdn), part("bytes 4-7/10", "4567")};
    FileBody body = result_of(asking.open(ByteRange{4, 8}));
    CHECK(asking.transport.field(0, "Range") == "bytes=4-7");
    CHECK(asking.transport.field(1, "Range") == "bytes=4-7");
    CHECK(body.first == 4);
    CHECK_FALSE(body.range_ignored);
    CHECK(text_of(body) == "4567");
}

TEST_CASE("a part of the range, or one of unknown total, will do") {
    Asking asking;
    asking.transport.answers = {part("bytes 4-5/10", "45"), part("bytes 4-7/*", "4567")};
    CHECK(result_of(asking.open(ByteRange{4, 8})).first == 4);
    CHECK(result_of(asking.open(ByteRange{4, 8})).first == 4);
}

TEST_CASE("an ignored range is said to be one") {
    Asking asking;
    asking.transport.answers = {{200, {{"Content-Length", "10"}}, content}};
    FileBody body = result_of(asking.open(ByteRange{4, 8}));
    CHECK(body.range_ignored);
    CHECK(body.first == 0);
    CHECK(text_of(body) == content);
}

TEST_CASE("bodies that are not what was asked for are refused") {
    const ByteRange range{4, 8};
    for (const Answer& bad :
         {part("bytes 0-3/10", "0123"), part("bytes 5-7/10", "567"), part("bytes 4-8/10", "45678"),
          part("bytes 4-7/11", "4567"), part("4-7/10", "4567"), part("", "4567"),
          part("bytes */10", ""), Answer{206, {}, "4567"},
          Answer{206, {{"Content-Range", "bytes 4-7/10"}, {"Content-Length", "3"}}, "456"},
          Answer{206, {{"Content-Range", "bytes 4-7/10"}, {"Content-Encoding", "gzip"}}, "4567"},
          Answer{200, {{"Content-Length", "11"}}, content + "x"},
          Answer{200, {{"Content-Encoding", "br"}}, content},
          Answer{200, {{"Content-Encoding", "identity"}, {"Content-Encoding", "gzip"}}, content},
          Answer{204, {}, ""}, Answer{203, {}, content}, Answer{304, {}, ""},
          Answer{300, {{"Location", "/x"}}, ""},
          Answer{416, {{"Content-Range", "bytes */5"}}, ""}}) {
        CAPTURE(bad.status);
        for (const bool elsewhere : {false, true}) {
            Asking asking;
            if (elsewhere) {
                asking.transport.answers.push_back(redirect(cdn));
            }
            asking.transport.answers.push_back(bad);
            const Error error = error_of(asking.open(range));
            CHECK(error.kind() == ErrorKind::protocol);
            check_names_nothing(error);
        }
    }
}

TEST_CASE("a part that nobody asked for is refused") {
    Asking asking;
    asking.transport.answers = {part("bytes 0-9/10", content)};
    CHECK(error_of(asking.open()).kind() == ErrorKind::protocol);
}

TEST_CASE("identity is no coding") {
    Asking asking;
    asking.transport.answers = {{200, {{"Content-Encoding", "Identity"}}, content}};
    CHECK(result_of(asking.open()).first == 0);
}

TEST_CASE("a known location is asked instead of the Hub") {
    Asking asking;
    asking.transport.answers = {part("bytes 4-7/10", "4567")};
    FileBody body = result_of(asking.open(ByteRange{4, 8}, Url::parse(cdn).value()));
    REQUIRE(asking.transport.requests.size() == 1);
    CHECK(asking.transport.asked(0) == cdn);
    CHECK_FALSE(asking.transport.requests[0].headers.find("Authorization"));
    CHECK(body.location.to_string() == cdn);
}

TEST_CASE("a known location at the Hub itself gets the token") {
    Asking asking;
    asking.transport.answers = {{200, {}, content}};
    result_of(asking.open({}, Url::parse("https://hub.example/x").value()));
    CHECK(asking.transport.field(0, "Authorization") == "Bearer " + secret);
}

TEST_CASE("a location that no longer serves sends us back to the Hub") {
    for (const char* location : {cdn.c_str(), "https://hub.example/api/resolve-cache/x"}) {
        for (const unsigned status : {401U, 403U, 404U, 410U}) {
            Asking asking;
            asking.transport.answers = {{status, {{"X-Error-Code", "RepoNotFound"}}, "<Expired/>"}};
            const Error error = error_of(asking.open({}, Url::parse(location).value()));
            CHECK(error.kind() == ErrorKind::unavailable);
            CHECK(contains(error.hint(), "ask the Hub again"));
        }
    }
    Asking fresh; // also when the Hub has only just sent us there
    fresh.transport.answers = {redirect(cdn), {403, {}, "<Expired/>"}};
    CHECK(error_of(fresh.open()).kind() == ErrorKind::unavailable);
}

TEST_CASE("the Hub's refusal of a file is what the caller gets") {
    for (const auto& [code, kind] : std::vector<std::pair<std::string, ErrorKind>>{
             {"EntryNotFound", ErrorKind::file_not_found},
             {"RepoNotFound", ErrorKind::repo_not_found},
             {"GatedRepo", ErrorKind::gated},
             {"RevisionNotFound", ErrorKind::revision_not_found}}) {
        Asking asking; // X-Repo-Commit comes with errors too
        asking.transport.answers = {
            {404, {{"X-Error-Code", code}, {"X-Repo-Commit", std::string(40, 'd')}}, ""}};
        CHECK(error_of(asking.open()).kind() == kind);
    }
    for (const unsigned status : {400U, 418U, 500U, 503U}) {
        Asking failing;
        failing.transport.answers = {{status,
                                      {{"X-Error-Message", "no a/b c.bin in org/name"}},
                                      "{\"error\":\"org/name\"}"}};
        check_names_nothing(error_of(failing.open()));
    }
    Asking busy;
    busy.transport.answers = {{429, {{"RateLimit", "\"resolvers\";r=0;t=9"}}, ""}};
    CHECK(error_of(busy.open()).retry_after() == std::chrono::seconds{9});
}

TEST_CASE("redirects of a file end") {
    Asking asking;
    for (int i = 0; i < 20; ++i) {
        asking.transport.answers.push_back(redirect(i % 2 == 0 ? cdn : "https://hub.example/x"));
    }
    CHECK(error_of(asking.open()).kind() == ErrorKind::protocol);
    CHECK(asking.transport.requests.size() == 11);
}

TEST_CASE("an endpoint's path is part of the file's address") {
    Asking asking{"http://127.0.0.1:8080/hf/"};
    asking.repo = RepoId{RepoType::dataset, "org/name"};
    asking.transport.answers = {{200, {}, content}};
    result_of(asking.open());
    CHECK(asking.transport.asked(0) ==
          "http://127.0.0.1:8080/hf/datasets/org/name/resolve/" + commit + "/a/b%20c.bin");
}

TEST_CASE("an empty file is a file") {
    Setup setup;
    setup.transport.answers = {{200, {{"Content-Length", "0"}}, ""}};
    FileSource source{setup.repo, commit, "empty", setup.token};
    FileBody body = result_of(setup.client.open_file(source, git_etag, 0, {}, {}));
    CHECK(result_of(body.response.read_all(1)).empty());
}
