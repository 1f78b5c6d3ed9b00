#include "daemon/hub/hub_client.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

std::string info(const std::string& sha) {
    return "{\"sha\":\"" + sha + "\"}";
}

std::string page(const std::string& path) {
    return "[{\"type\":\"file\",\"path\":\"" + path + "\",\"oid\":\"" + git_etag +
           "\",\"size\":5}]";
}

Answer linked(const std::string& path, const std::string& next) {
    return {200, {{"Link", "<" + next + ">; rel=\"next\""}}, page(path)};
}

const std::string tree_path = "/api/models/org/name/tree/" + commit;

} // namespace

TEST_CASE("a revision becomes a commit") {
    Setup setup;
    setup.transport.answers = {{200, {}, info(commit)}};
    CHECK(result_of(setup.client.commit_of(setup.repo, "refs/pr/1", setup.token)) == commit);
    REQUIRE(setup.transport.requests.size() == 1);
    CHECK(setup.transport.requests[0].method == "GET");
    CHECK(setup.transport.asked(0) ==
          "https://hub.example/api/models/org/name/revision/refs%2Fpr%2F1");
    CHECK(setup.transport.field(0, "Authorization") == "Bearer " + secret);
    CHECK(setup.transport.field(0, "Accept-Encoding") == "identity");
}

TEST_CASE("without a token none is sent") {
    Setup setup;
    setup.transport.answers = {{200, {}, info(commit)}};
    result_of(setup.client.commit_of(setup.repo, "main", Token{}));
    CHECK_FALSE(setup.transport.requests[0].headers.find("Authorization"));
}

TEST_CASE("a token that could forge header lines is not sent") {
    for (const std::string& bad : {std::string{"hf_topsecret\r\nX: y"},
                                   std::string{"hf_topsecret "}, std::string{"hf_topsecret\0", 13},
                                   std::string{"hf_topsecret\xc3\xa9"}, std::string(9000, 'x')}) {
        Setup setup;
        const Error error = error_of(setup.client.commit_of(setup.repo, "main", Token{bad}));
        CHECK(error.kind() == ErrorKind::unauthorized);
        CHECK(setup.transport.requests.empty());
    }
}

TEST_CASE("a commit asked for by its id must be answered with it") {
    Setup setup;
    setup.transport.answers = {{200, {}, info(commit)}, {200, {}, info(std::string(40, 'd'))}};
    CHECK(result_of(setup.client.commit_of(setup.repo, commit, setup.token)) == commit);
    const Error error = error_of(setup.client.commit_of(setup.repo, commit, setup.token));
    CHECK(error.kind() == ErrorKind::protocol);
}

TEST_CASE("a description that cannot be read names the repo") {
    Setup setup;
    setup.transport.answers = {{200, {}, "{"}, {200, {{"Content-Encoding", "gzip"}}, info(commit)}};
    const Error cut = error_of(setup.client.commit_of(setup.repo, "main", setup.token));
    CHECK(cut.kind() == ErrorKind::protocol);
    CHECK(contains(cut.message(), "model org/name"));
    const Error packed = error_of(setup.client.commit_of(setup.repo, "main", setup.token));
    CHECK(packed.kind() == ErrorKind::protocol);
    CHECK(contains(packed.message(), "compressed"));
}

TEST_CASE("the Hub's refusal is what the caller gets") {
    Setup setup;
    setup.transport.answers = {{404, {{"X-Error-Code", "RevisionNotFound"}}, "no"},
                               {429, {{"RateLimit", "\"api\";r=0;t=3"}}, ""},
                               {403, {}, "{\"error\":\"because\"}"}};
    CHECK(error_of(setup.client.commit_of(setup.repo, "x", setup.token)).kind() ==
          ErrorKind::revision_not_found);
    CHECK(error_of(setup.client.commit_of(setup.repo, "x", setup.token)).retry_after() ==
          std::chrono::seconds{3});
    CHECK(contains(error_of(setup.client.commit_of(setup.repo, "x", setup.token)).message(),
                   "because"));
    CHECK(setup.transport.bodies_read == 3); // so that the connections can be used again
}

TEST_CASE("an endless error body is not read to its end") {
    Setup setup;
    setup.transport.answers = {{403, {}, std::string(10'000'000, 'x')}};
    CHECK(error_of(setup.client.commit_of(setup.repo, "x", setup.token)).kind() ==
          ErrorKind::forbidden);
    CHECK(setup.transport.bodies_read == 0);
}

TEST_CASE("a renamed repo is followed at the same origin, with the token") {
    Setup setup;
    setup.transport.answers = {
        {307, {{"Location", "/api/models/org/new/revision/main?x=y"}}, "moved"},
        {200, {}, info(commit)}};
    CHECK(result_of(setup.client.commit_of(setup.repo, "main", setup.token)) == commit);
    CHECK(setup.transport.asked(1) == "https://hub.example/api/models/org/new/revision/main?x=y");
    CHECK(setup.transport.field(1, "Authorization") == "Bearer " + secret);
    CHECK(setup.transport.bodies_read == 2); // the redirect's too: its connection can be used again
}

TEST_CASE("an API call never leaves the endpoint's origin") {
    for (const char* foreign :
         {"https://evil.example/api?k=secret-query", "http://hub.example/api/models",
          "https://hub.example:444/", "//evil.example/x", "https://hub.example.evil/",
          "https://sub.hub.example/"}) {
        CAPTURE(foreign);
        Setup setup;
        setup.transport.answers = {{302, {{"Location", foreign}}, ""}};
        const Error error = error_of(setup.client.commit_of(setup.repo, "main", setup.token));
        CHECK(error.kind() == ErrorKind::protocol);
        CHECK(contains(error.message(), "://"));
        CHECK(setup.transport.requests.size() == 1);
    }
}

TEST_CASE("redirects end") {
    Setup setup;
    for (int i = 0; i < 20; ++i) {
        setup.transport.answers.push_back({307, {{"Location", "/again"}}, ""});
    }
    const Error error = error_of(setup.client.commit_of(setup.repo, "main", setup.token));
    CHECK(error.kind() == ErrorKind::protocol);
    CHECK(setup.transport.requests.size() == 11);
}

TEST_CASE("a redirect must say where to") {
    for (const Fields& fields : {Fields{}, Fields{{"Location", "ftp://x/?secret-query"}},
                                 Fields{{"Location", "https://u:secret-query@x/"}}}) {
        Setup setup;
        setup.transport.answers = {{307, fields, ""}};
        CHECK(error_of(setup.client.commit_of(setup.repo, "main", setup.token)).kind() ==
              ErrorKind::protocol);
    }
}

TEST_CASE("a listing in one page") {
    Setup setup;
    setup.transport.answers = {{200, {}, page("a")}};
    const TreePtr tree = result_of(setup.client.list_tree(setup.repo, commit, setup.token));
    REQUIRE(tree->files.size() == 1);
    CHECK(tree->files[0].path == "a");
    CHECK(setup.transport.asked(0) ==
          "https://hub.example" + tree_path + "?recursive=true&expand=false");
}

TEST_CASE("a listing's pages are followed, absolute or relative") {
    Setup setup{"https://hub.example:443/"};
    setup.transport.answers = {linked("c", "https://HUB.example" + tree_path + "?cursor=1"),
                               linked("b", tree_path + "?cursor=2"),
                               linked("d", "?cursor=3"),
                               {200, {{"Link", "<https://x/>; rel=\"xet-auth\""}}, page("a")}};
    const TreePtr tree = result_of(setup.client.list_tree(setup.repo, commit, setup.token));
    CHECK(tree->files.size() == 4);
    CHECK(tree->files[0].path == "a");
    REQUIRE(setup.transport.requests.size() == 4);
    CHECK(setup.transport.asked(1) == "https://hub.example" + tree_path + "?cursor=1");
    CHECK(setup.transport.asked(2) == "https://hub.example" + tree_path + "?cursor=2");
    CHECK(setup.transport.asked(3) == "https://hub.example" + tree_path + "?cursor=3");
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(setup.transport.field(i, "Authorization") == "Bearer " + secret);
    }
}

TEST_CASE("pages of a renamed repo start from its new name") {
    Setup setup;
    setup.transport.answers = {{307, {{"Location", "/api/models/org/new/tree/x"}}, ""},
                               linked("a", "?cursor=2"),
                               {200, {}, page("b")}};
    result_of(setup.client.list_tree(setup.repo, commit, setup.token));
    CHECK(setup.transport.asked(2) == "https://hub.example/api/models/org/new/tree/x?cursor=2");
}

TEST_CASE("a next page elsewhere is refused, its host named, and not asked") {
    for (const auto& [next, named] :
         Fields{{"https://evil.example" + tree_path, "https://evil.example"},
                {"http://hub.example" + tree_path, "http://hub.example"},
                {"https://hub.example:8443" + tree_path, "https://hub.example:8443"},
                {"//evil.example" + tree_path, "https://evil.example"},
                {"https://hub.example/login?secret-query", "https://hub.example/login"},
                {"/api/datasets/org/name/tree/x", "/api/datasets/"},
                {"https://hub.example@evil.example" + tree_path, "not at a web address"}}) {
        CAPTURE(next);
        Setup setup;
        setup.transport.answers = {linked("a", next)};
        const Error error = error_of(setup.client.list_tree(setup.repo, commit, setup.token));
        CHECK(error.kind() == ErrorKind::protocol);
        CHECK(contains(error.message(), named));
        CHECK(setup.transport.requests.size() == 1);
    }
}

TEST_CASE("below a path prefix the next page stays there too") {
    Setup setup{"http://host:8080/hf"};
    setup.transport.answers = {linked("a", "http://host:8080/hf" + tree_path + "?cursor=2"),
                               linked("b", tree_path + "?cursor=3")};
    CHECK(error_of(setup.client.list_tree(setup.repo, commit, setup.token)).kind() ==
          ErrorKind::protocol);
    CHECK(setup.transport.requests.size() == 2);
}

TEST_CASE("pages that go round in a circle end") {
    Setup setup;
    for (const char* cursor : {"?cursor=1", "?cursor=2", "?cursor=1"}) {
        const std::string name = "f" + std::to_string(setup.transport.answers.size());
        setup.transport.answers.push_back(linked(name, tree_path + cursor));
    }
    const Error error = error_of(setup.client.list_tree(setup.repo, commit, setup.token));
    CHECK(error.kind() == ErrorKind::protocol);
    CHECK(contains(error.message(), "circle"));
    CHECK(setup.transport.requests.size() == 3);
}

TEST_CASE("one bad entry on any page refuses the listing") {
    for (const std::string& second : {page("../x"), page("a"), page("a/b"), std::string{"["}}) {
        Setup setup;
        setup.transport.answers = {linked("a", tree_path + "?cursor=2"), {200, {}, second}};
        const Error error = error_of(setup.client.list_tree(setup.repo, commit, setup.token));
        CHECK(error.kind() == ErrorKind::protocol);
        CHECK(contains(error.message(), "model org/name"));
    }
}

TEST_CASE("a failing page is the listing's failure") {
    Setup setup;
    setup.transport.answers = {linked("a", tree_path + "?cursor=2"), {503, {}, ""}};
    CHECK(error_of(setup.client.list_tree(setup.repo, commit, setup.token)).kind() ==
          ErrorKind::unavailable);
}

TEST_CASE("a Link field that cannot be read does not cut a listing short") {
    Setup setup;
    setup.transport.answers = {{200, {{"Link", "<x; rel=next"}}, page("a")}};
    const Error error = error_of(setup.client.list_tree(setup.repo, commit, setup.token));
    CHECK(error.kind() == ErrorKind::protocol);
    CHECK(contains(error.message(), "model org/name"));
}

TEST_CASE("a page over the limit is refused") {
    Setup setup;
    setup.transport.answers = {{200, {}, std::string((64 << 20) + 1, ' ')}};
    CHECK(error_of(setup.client.list_tree(setup.repo, commit, setup.token)).kind() ==
          ErrorKind::protocol);
}
