#include "upload_scene.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

constexpr const char* readme_faults = R"({"errors":[{"message":"\"license\" must be one of"}],)"
                                      R"("warnings":[]})";

} // namespace

TEST_CASE("a repo is made") {
    Scene scene;
    scene.answer(200, R"({"url":"https://hub.example/org/name"})");
    CHECK(result_of(scene.client.create_repo(scene.repo, true, scene.token)));
    CHECK(scene.said() == "POST https://hub.example/api/repos/create "
                          R"({"name":"name","organization":"org","type":"model",)"
                          R"("visibility":"private"})");
    CHECK(scene.shows_token());
    CHECK(scene.transport.field(0, "Content-Type") == "application/json");

    scene.answer(201, R"({"url":"x"})");
    result_of(scene.client.create_repo({RepoType::space, "name"}, false, scene.token));
    CHECK(scene.request(1).body == R"({"name":"name","organization":null,"type":"space",)"
                                   R"("sdk":"gradio"})");
}

TEST_CASE("a repo that is there is not new") {
    Scene scene;
    scene.answer(409, R"({"error":"You already created this model repo","url":"x"})");
    CHECK_FALSE(result_of(scene.client.create_repo(scene.repo, false, scene.token)));
    scene.answer(409, R"({"error":"Cannot create repo: another conflicting operation is)"
                      R"( in progress"})");
    CHECK(kind_of(scene.client.create_repo(scene.repo, false, scene.token)) ==
          ErrorKind::unavailable);
}

TEST_CASE("who may not make repos is refused, unless the repo is there") {
    Scene scene;
    scene.answer(403, "", {{"X-Error-Message", "You don't have the rights to create a model"}});
    scene.answer(200, "{}");
    CHECK_FALSE(result_of(scene.client.create_repo(scene.repo, false, scene.token)));
    CHECK(scene.request(1).method == "GET");

    scene.answer(403, "", {{"X-Error-Message", "You don't have the rights to create a model"}});
    scene.answer(404, "", {{"X-Error-Code", "RepoNotFound"}});
    const Error error = error_of(scene.client.create_repo(scene.repo, false, scene.token));
    CHECK(error.kind() == ErrorKind::forbidden);
    CHECK(contains(error.message(), "You don't have the rights"));
    CHECK_FALSE(error.hint().empty());
}

TEST_CASE("a page of somebody else's is no new repo") {
    for (const char* body : {"", "<html>", "[]", "{}", R"({"url":7})"}) {
        Scene scene;
        scene.answer(200, body);
        CHECK(kind_of(scene.client.create_repo(scene.repo, false, scene.token)) ==
              ErrorKind::protocol);
    }
}

TEST_CASE("a branch is made, or there") {
    for (const unsigned status : {200U, 201U, 409U}) {
        Scene scene;
        scene.answer(status, "");
        wharf::test::run(scene.client.create_branch(scene.target("dev/x")));
        CHECK(scene.said() == "POST https://hub.example/api/models/org/name/branch/dev%2Fx {}");
    }
    Scene scene;
    scene.answer(404, "", {{"X-Error-Code", "RepoNotFound"}});
    CHECK(failure_of(scene.client.create_branch(scene.target())).kind() ==
          ErrorKind::repo_not_found);
}

TEST_CASE("the Hub judges files") {
    Scene scene;
    scene.answer(200, R"({"files":[
        {"path":"e","uploadMode":"lfs","shouldIgnore":false},
        {"path":"b","uploadMode":"lfs","shouldIgnore":false,"oid":")" +
                          lfs_etag + R"("},
        {"path":"a","uploadMode":"regular","shouldIgnore":true,"oid":null}],"more":1})");
    const auto verdicts = result_of(scene.client.preupload(
        scene.target("refs/pr/1"), {{"a", 3, "abc"}, {"b", 9, ""}, {"e", 0, ""}}, "*.o\n", false));
    CHECK(scene.said() == "POST https://hub.example/api/models/org/name/preupload/refs%2Fpr%2F1 "
                          R"({"files":[{"path":"a","sample":"YWJj","size":3},)"
                          R"({"path":"b","sample":"","size":9},)"
                          R"({"path":"e","sample":"","size":0}],"gitIgnore":"*.o\n"})");
    REQUIRE(verdicts.size() == 3);
    CHECK(verdicts[0].mode == UploadMode::regular);
    CHECK(verdicts[0].ignored);
    CHECK(verdicts[0].oid.empty());
    CHECK(verdicts[1].mode == UploadMode::lfs);
    CHECK(verdicts[1].oid == lfs_etag);
    CHECK_MESSAGE(verdicts[2].mode == UploadMode::regular, "there are no empty objects");

    scene.answer(200, R"({"files":[]})");
    result_of(scene.client.preupload(scene.target(), {}, std::nullopt, true));
    CHECK(scene.said(1) == "POST https://hub.example/api/models/org/name/preupload/main"
                           "?create_pr=1 {\"files\":[]}");
}

TEST_CASE("a judgement must be of the files that were shown") {
    const std::string good = R"({"path":"a","uploadMode":"lfs","shouldIgnore":false})";
    for (const std::string& files :
         {std::string{}, good + "," + good,
          R"({"path":"b","uploadMode":"lfs","shouldIgnore":false})" + ("," + good),
          std::string{R"({"path":"a","uploadMode":"xet","shouldIgnore":false})"},
          std::string{R"({"path":"a","shouldIgnore":false})"},
          std::string{R"({"path":"a","uploadMode":"lfs"})"},
          std::string{R"({"path":"a","uploadMode":"lfs","shouldIgnore":0})"}, std::string{"7"}}) {
        CAPTURE(files);
        Scene scene;
        scene.answer(200, R"({"files":[)" + files + "]}");
        CHECK(kind_of(scene.client.preupload(scene.target(), {{"a", 1, "x"}}, {}, false)) ==
              ErrorKind::protocol);
    }
    Scene scene;
    scene.answer(200, R"({"files":[{"path":"a","uploadMode":"lfs","shouldIgnore":false,)"
                      R"("oid":"../../etc/passwd"}]})");
    const auto verdicts =
        result_of(scene.client.preupload(scene.target(), {{"a", 1, "x"}}, {}, false));
    CHECK(verdicts.at(0).oid.empty());
}

TEST_CASE("a README's metadata are looked at") {
    Scene scene;
    scene.answer(200, R"({"errors":[],"warnings":[{"message":"empty\nmetadata"},{"message":7}]})");
    CHECK(result_of(scene.client.validate_readme(RepoType::model, "# \"x\"\n", scene.token)) ==
          std::vector<std::string>{"empty metadata"});
    CHECK(scene.said() == "POST https://hub.example/api/validate-yaml "
                          R"({"content":"# \"x\"\n","repoType":"model"})");
    scene.answer(400, readme_faults);
    const Error error = error_of(scene.client.validate_readme(RepoType::model, "x", scene.token));
    CHECK(error.kind() == ErrorKind::invalid_request);
    CHECK(contains(error.message(), "\"license\" must be one of"));
    scene.answer(200, readme_faults);
    CHECK(kind_of(scene.client.validate_readme(RepoType::model, "x", scene.token)) ==
          ErrorKind::invalid_request);
    CHECK(kind_of(scene.client.validate_readme(RepoType::model, "\xff", scene.token)) ==
          ErrorKind::invalid_request);
    scene.answer(200, "<html>");
    CHECK(kind_of(scene.client.validate_readme(RepoType::model, "x", scene.token)) ==
          ErrorKind::protocol);
}

TEST_CASE("paths are described") {
    Scene scene;
    const std::string entries = R"([{"type":"file","path":"a b/c.bin","oid":")" + git_etag +
                                R"(","size":5,"lfs":{"oid":")" + lfs_etag + R"(","size":5}},
        {"type":"directory","path":"d","oid":")" +
                                git_etag + R"("}])";
    scene.answer(200, entries);
    const auto paths =
        result_of(scene.client.paths_info(scene.target("dev/x"), {"d", "a b/c.bin", "no"}));
    CHECK(scene.said() == "POST https://hub.example/api/models/org/name/paths-info/dev%2Fx "
                          "paths=d&paths=a%20b%2Fc.bin&paths=no&expand=false");
    CHECK(scene.transport.field(0, "Content-Type") == "application/x-www-form-urlencoded");
    REQUIRE(paths.size() == 2);
    CHECK(paths[0].path == "a b/c.bin");
    CHECK(paths[0].etag() == lfs_etag);
    CHECK(paths[0].size == 5);
    CHECK(paths[1].is_folder);

    scene.answer(200, entries); // one that was not asked for
    CHECK(kind_of(scene.client.paths_info(scene.target(), {"d"})) == ErrorKind::protocol);
    scene.answer(200, "[]");
    CHECK(result_of(scene.client.paths_info({scene.repo, "main", {}}, {"d"})).empty());
}

TEST_CASE("a commit is made") {
    Scene scene;
    scene.answer(200, R"({"success":true,"commitOid":")" + head +
                          R"(","commitUrl":"https://hub.example/org/name/commit/)" + head +
                          R"("})");
    const auto body = wharf::net::make_body("{}\n");
    const CommitAnswer made = result_of(scene.client.commit(scene.target("refs/pr/7"), body));
    CHECK(scene.said() == "POST https://hub.example/api/models/org/name/commit/refs%2Fpr%2F7 ");
    CHECK(scene.request().stream == body);
    CHECK(scene.transport.field(0, "Content-Type") == "application/x-ndjson");
    CHECK(made.commit == head);
    CHECK(made.url == "https://hub.example/org/name/commit/" + head);
}

TEST_CASE("a commit's address that cannot be shown is replaced") {
    for (const std::string& url :
         {std::string{"javascript:alert(1)"}, std::string{"https://hub/\\u001b[2J"},
          "https://hub/" + std::string(2000, 'x'), std::string{"https://user:pw@hub/"}}) {
        CAPTURE(url);
        Scene scene;
        scene.answer(200, R"({"commitOid":")" + head + R"(","commitUrl":")" + url + R"("})");
        CHECK(result_of(scene.client.commit(scene.target(), wharf::net::make_body("x"))).url ==
              "https://hub.example/org/name/commit/" + head);
    }
    for (const char* body : {"{}", R"({"commitOid":"main"})", R"({"commitOid":7})", "[]", ""}) {
        Scene scene;
        scene.answer(200, body);
        CHECK(kind_of(scene.client.commit(scene.target(), wharf::net::make_body("x"))) ==
              ErrorKind::protocol);
    }
}

TEST_CASE("a commit follows its repo to its new name, and no further") {
    Scene scene;
    const auto body = wharf::net::make_body("x");
    scene.answer(307, "", {{"Location", "/api/models/org/new/commit/main"}});
    scene.answer(200, R"({"commitOid":")" + head + R"("})");
    CHECK(result_of(scene.client.commit(scene.target(), body)).commit == head);
    CHECK(scene.said(1) == "POST https://hub.example/api/models/org/new/commit/main ");
    CHECK(scene.request(1).stream == body);
    CHECK(scene.shows_token(1));
    for (const auto& [status, location] :
         std::vector<std::pair<unsigned, std::string>>{{307, "https://evil.example/commit"},
                                                       {302, "/api/models/org/new/commit/main"},
                                                       {301, "/x"},
                                                       {303, "/x"},
                                                       {308, "http://hub.example/x"}}) {
        const std::size_t before = scene.transport.requests.size();
        scene.answer(status, "", {{"Location", location}});
        CHECK(kind_of(scene.client.commit(scene.target(), body)) == ErrorKind::protocol);
        CHECK(scene.transport.requests.size() == before + 1);
    }
}

TEST_CASE("a commit's refusals say what to do") {
    const std::string code = "X-Error-Code";
    const std::string stale = "The branch was updated since you opened this page.";
    struct Row {
        unsigned status;
        Fields fields;
        ErrorKind kind;
        std::string_view says;
    };
    for (const auto& [status, fields, kind, says] : std::vector<Row>{
             {412, {{"X-Error-Message", stale}}, ErrorKind::conflict, "'main'"},
             {400, {{"X-Error-Message", "bad path"}}, ErrorKind::invalid_request, "bad path"},
             {422, {{"X-Error-Message", "bad path"}}, ErrorKind::invalid_request, "bad path"},
             {413, {}, ErrorKind::invalid_request, "so much"},
             {403, {{"X-Error-Message", "read only"}}, ErrorKind::forbidden, "read only"},
             {401, {}, ErrorKind::unauthorized, "token"},
             {401, {{code, "RepoNotFound"}}, ErrorKind::repo_not_found, "org/name"},
             {404, {{code, "RevisionNotFound"}}, ErrorKind::revision_not_found, "'main'"},
             {404,
              {{code, "EntryNotFound"}, {"X-Error-Message", "A file with this name doesn't exist"}},
              ErrorKind::file_not_found,
              "A file with this name doesn't exist"},
             {409, {}, ErrorKind::unavailable, ""},
             {429, {}, ErrorKind::rate_limited, ""},
             {502, {}, ErrorKind::unavailable, ""},
             {418, {}, ErrorKind::protocol, ""}}) {
        CAPTURE(status);
        Scene scene;
        scene.answer(status, "", fields);
        const Error error =
            error_of(scene.client.commit(scene.target(), wharf::net::make_body("x")));
        CHECK(error.kind() == kind);
        CHECK(contains(error.message(), says));
        const bool has_hint = kind == ErrorKind::conflict || kind == ErrorKind::forbidden ||
                              kind == ErrorKind::unauthorized || status == 413;
        CHECK((!has_hint || !error.hint().empty()));
    }
}

TEST_CASE("nothing is changed without a token") {
    Scene scene;
    const Error error =
        error_of(scene.client.commit({scene.repo, "main", {}}, wharf::net::make_body("x")));
    CHECK(error.kind() == ErrorKind::unauthorized);
    CHECK(scene.transport.requests.empty());
}

TEST_CASE("the newest commits are listed") {
    Scene scene;
    scene.answer(200, R"([{"id":")" + head +
                          R"(","title":"Two","message":"","authors":[]},{"id":")" + commit +
                          R"(","title":"One"}])");
    const auto commits = result_of(scene.client.commits(scene.target("refs/pr/3")));
    CHECK(scene.said() == "GET https://hub.example/api/models/org/name/commits/refs%2Fpr%2F3 ");
    REQUIRE(commits.size() == 2);
    CHECK(commits[0].id == head);
    CHECK(commits[0].title == "Two");
    for (const char* body : {"{}", R"([{"id":"x","title":""}])", R"([{"title":""}])", "[7]"}) {
        scene.answer(200, body);
        CHECK(kind_of(scene.client.commits(scene.target())) == ErrorKind::protocol);
    }
}

TEST_CASE("a pull request is opened, and found again") {
    Scene scene;
    scene.answer(200, R"({"num":12,"pullRequest":true})");
    CHECK(result_of(scene.client.open_pull_request(scene.repo, "Add it", "why", scene.token)) ==
          12);
    CHECK(scene.said() == "POST https://hub.example/api/models/org/name/discussions "
                          R"({"title":"Add it","description":"why","pullRequest":true})");
    for (const char* body : {"{}", R"({"num":0})", R"({"num":-1})", R"({"num":"1"})"}) {
        scene.answer(200, body);
        CHECK(kind_of(scene.client.open_pull_request(scene.repo, "t", "", scene.token)) ==
              ErrorKind::protocol);
    }
    const std::string rest = R"(,"isPullRequest":true})";
    scene.transport.requests.clear();
    scene.answer(200, R"({"count":5,"start":0,"discussions":[
        {"num":3,"title":"Add it","status":"open")" +
                          rest + R"(,
        {"num":9,"title":"Add it","status":"draft")" +
                          rest + R"(,
        {"num":8,"title":"Add it","status":"merged")" +
                          rest + R"(,
        {"num":7,"title":"Other","status":"open")" +
                          rest + R"(,
        {"num":6,"title":"Add it","status":"open","isPullRequest":false}]})");
    CHECK(result_of(scene.client.find_pull_requests(scene.repo, " Add it\n", scene.token)) ==
          std::vector<std::uint64_t>{9, 3});
    CHECK(scene.said() == "GET https://hub.example/api/models/org/name/discussions"
                          "?p=0&type=pull_request&status=all ");
}

TEST_CASE("pages for people") {
    Scene scene{"https://hub.example/hf/"};
    CHECK(scene.client.commit_url(scene.repo, head) ==
          "https://hub.example/hf/org/name/commit/" + head);
    CHECK(scene.client.pull_request_url({RepoType::dataset, "a/b"}, 4) ==
          "https://hub.example/hf/datasets/a/b/discussions/4");
}

TEST_CASE("what comes compressed is not read") {
    Scene scene;
    scene.answer(200, "[]", {{"Content-Encoding", "gzip"}});
    CHECK(kind_of(scene.client.commits(scene.target())) == ErrorKind::protocol);
}
