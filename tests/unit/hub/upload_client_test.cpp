#include "daemon/hub/upload_client.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

const std::string head(40, 'd');
const std::string other_oid(64, 'b');

struct Scene {
    explicit Scene(std::string_view endpoint = "https://hub.example")
        : client{transport, wharf::net::Url::parse(endpoint).value()} {}

    CommitTarget target(const std::string& revision = "main") const {
        return {repo, revision, token};
    }
    void answer(unsigned status, const std::string& body, const Fields& fields = {}) {
        transport.answers.push_back({status, fields, body});
    }
    const wharf::net::HttpRequest& request(std::size_t index = 0) const {
        return transport.requests.at(index);
    }
    /// Of a request: "POST https://... body".
    std::string said(std::size_t index = 0) const {
        return request(index).method + " " + transport.asked(index) + " " + request(index).body;
    }
    bool shows_token(std::size_t index = 0) const {
        return transport.field(index, "Authorization") == "Bearer " + secret;
    }

    FakeTransport transport;
    UploadClient client;
    RepoId repo{RepoType::model, "org/name"};
    Token token{secret};
};

std::string object(const std::string& oid, int size, const std::string& more = "") {
    return R"({"oid":")" + oid + R"(","size":)" + std::to_string(size) + more + "}";
}

std::string objects(const std::string& listed) {
    return R"({"transfer":"basic","objects":[)" + listed + "]}";
}

constexpr const char* readme_faults = R"({"errors":[{"message":"\"license\" must be one of"}],)"
                                      R"("warnings":[]})";

template <typename T>
ErrorKind kind_of(wharf::Awaitable<T> work) {
    return error_of(std::move(work)).kind();
}

/// The kind of a failure of what has no result.
Error failure_of(wharf::Awaitable<> work) {
    try {
        wharf::test::run(std::move(work));
    } catch (const Error& error) {
        check_discreet(error);
        return error;
    }
    FAIL("it did not fail");
    return {};
}

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

TEST_CASE("objects are offered") {
    Scene scene;
    scene.answer(200, objects(object(other_oid, 7) + "," +
                              object(lfs_etag, 5,
                                     R"(,"actions":{"upload":{"href":"https://s3.example/x?sig=1",
                                     "header":{"Content-Type":"x"}},
                                     "verify":{"href":"https://huggingface.co/v"}})")));
    const auto answers =
        result_of(scene.client.batch(scene.target(), {{lfs_etag, 5}, {other_oid, 7}}, false));
    CHECK(scene.said() == "POST https://hub.example/org/name.git/info/lfs/objects/batch "
                          R"({"operation":"upload","transfers":["basic","multipart"],"objects":[)" +
                              object(lfs_etag, 5) + "," + object(other_oid, 7) +
                              R"(],"hash_algo":"sha256","ref":{"name":"main"}})");
    CHECK(scene.transport.field(0, "Accept") == "application/vnd.git-lfs+json");
    CHECK(scene.transport.field(0, "Content-Type") == "application/vnd.git-lfs+json");
    CHECK(scene.shows_token());
    REQUIRE(answers.size() == 2);
    REQUIRE(answers[0].action);
    CHECK(answers[0].action->href == "https://s3.example/x?sig=1");
    CHECK(answers[0].action->chunk_size == 0);
    CHECK(answers[0].action->parts.empty());
    CHECK_MESSAGE(answers[0].action->verify == "https://hub.example/v", "of a mirror");
    CHECK_FALSE(answers[1].action);
    CHECK_FALSE(answers[1].refusal);

    scene.answer(200, objects(""));
    result_of(scene.client.batch({{RepoType::dataset, "a/b"}, "main", scene.token}, {}, true));
    CHECK(scene.said(1) == "POST https://hub.example/datasets/a/b.git/info/lfs/objects/batch "
                           R"({"operation":"upload","transfers":["basic","multipart"],)"
                           R"("objects":[],"hash_algo":"sha256"})");
}

TEST_CASE("an object may be wanted in parts") {
    Scene scene;
    scene.answer(200, objects(object(lfs_etag, 25,
                                     R"(,"actions":{"upload":{"href":"https://hub.example/c",
        "header":{"chunk_size":"10","00003":"https://s3/3","1":"https://s3/1","02":"https://s3/2"}}})")));
    const auto answers = result_of(scene.client.batch(scene.target(), {{lfs_etag, 25}}, false));
    REQUIRE(answers.at(0).action);
    CHECK(answers[0].action->chunk_size == 10);
    CHECK(answers[0].action->parts ==
          std::vector<std::string>{"https://s3/1", "https://s3/2", "https://s3/3"});
    CHECK(answers[0].action->verify.empty());
}

TEST_CASE("parts and places that make no sense are not used") {
    const std::string two = R"("1":"https://s/1","2":"https://s/2")";
    for (const std::string& upload :
         {std::string{"{}"}, std::string{R"({"href":"ftp://s/x"})"},
          std::string{R"({"href":"/relative"})"},
          std::string{R"({"href":"http://s/?secret-query"})"},
          std::string{R"({"href":"https://u:secret-query@s/"})"},
          std::string{R"({"href":"https://s/\u0000"})"}, std::string{R"({"href":7})"},
          R"({"href":"https://s","header":{"chunk_size":0,)" + two + "}}",
          R"({"href":"https://s","header":{"chunk_size":"-5",)" + two + "}}",
          R"({"href":"https://s","header":{"chunk_size":"5x",)" + two + "}}",
          R"({"href":"https://s","header":{"chunk_size":5.0,)" + two + "}}",
          R"({"href":"https://s","header":{"chunk_size":4,)" + two + "}}",
          R"({"href":"https://s","header":{"chunk_size":10,)" + two + "}}",
          R"({"href":"https://s","header":{"chunk_size":18446744073709551616,)" + two + "}}",
          std::string{R"({"href":"https://s","header":{"chunk_size":5,"1":"https://s"}})"},
          std::string{
              R"({"href":"https://s","header":{"chunk_size":5,"0":"https://s","1":"https://s"}})"},
          std::string{
              R"({"href":"https://s","header":{"chunk_size":5,"1":"https://s","01":"https://s"}})"},
          std::string{
              R"({"href":"https://s","header":{"chunk_size":5,"1":"https://s","2":"http://s"}})"},
          std::string{R"({"href":"https://s","header":[1]})"}}) {
        CAPTURE(upload);
        Scene scene;
        scene.answer(200, objects(object(lfs_etag, 10, R"(,"actions":{"upload":)" + upload + "}")));
        const Error error = error_of(scene.client.batch(scene.target(), {{lfs_etag, 10}}, false));
        CHECK(error.kind() == ErrorKind::protocol);
    }
    Scene scene; // more parts than there can be
    scene.answer(200, objects(object(lfs_etag, 2'000'000,
                                     R"(,"actions":{"upload":{"href":"https://s",
                                     "header":{"chunk_size":1}}})")));
    CHECK(kind_of(scene.client.batch(scene.target(), {{lfs_etag, 2'000'000}}, false)) ==
          ErrorKind::protocol);
}

TEST_CASE("answers must be about the objects that were offered") {
    const std::string good = object(lfs_etag, 5);
    for (const std::string& listed :
         {std::string{}, good + "," + good, object(other_oid, 5), good + "," + object(other_oid, 5),
          object(lfs_etag, 6), object(lfs_etag, 5, R"(,"actions":{})"),
          object(lfs_etag, 5, R"(,"actions":[])"), std::string{"7"}}) {
        CAPTURE(listed);
        Scene scene;
        scene.answer(200, objects(listed));
        CHECK(kind_of(scene.client.batch(scene.target(), {{lfs_etag, 5}}, false)) ==
              ErrorKind::protocol);
    }
}

TEST_CASE("an object that is not taken is said to be so") {
    const std::pair<const char*, ErrorKind> rows[] = {{"422", ErrorKind::invalid_request},
                                                      {"403", ErrorKind::forbidden},
                                                      {"429", ErrorKind::rate_limited},
                                                      {"503", ErrorKind::unavailable},
                                                      {"\"?\"", ErrorKind::invalid_request}};
    for (const auto& [code, kind] : rows) {
        Scene scene;
        scene.answer(200, objects(R"({"oid":")" + lfs_etag + R"(","error":{"code":)" + code +
                                  R"(,"message":"too\u001b[2J much"}})"));
        const auto answers = result_of(scene.client.batch(scene.target(), {{lfs_etag, 5}}, false));
        REQUIRE(answers.at(0).refusal);
        CHECK(answers[0].refusal->kind() == kind);
        CHECK(contains(answers[0].refusal->message(), "much"));
        CHECK_FALSE(contains(answers[0].refusal->message(), "\x1b"));
    }
}

TEST_CASE("bytes go to a signed address without the token") {
    for (const char* url : {"https://s3.example/x?secret-query", "https://hub.example/x?sig"}) {
        Scene scene;
        scene.answer(200, "", {{"ETag", "\"abc\""}});
        const auto body = wharf::net::make_body("bytes");
        CHECK(result_of(scene.client.put(url, body)) == "\"abc\"");
        CHECK(scene.said() == std::string{"PUT "} + url + " ");
        CHECK(scene.request().stream == body);
        CHECK_FALSE(scene.request().headers.find("Authorization"));
        CHECK(scene.transport.accounts[0].token.empty());
    }
    Scene scene;
    scene.answer(204, "");
    CHECK(result_of(scene.client.put("https://s3.example/x", wharf::net::make_body(""))).empty());
}

TEST_CASE("an address that has had its day says so") {
    for (const unsigned status : {400U, 401U, 403U, 404U, 410U}) {
        Scene scene;
        scene.answer(status, "<Error>AccessDenied secret-query</Error>");
        const Error error = error_of(
            scene.client.put("https://s3.example/x?secret-query", wharf::net::make_body("x")));
        CHECK(error.kind() == ErrorKind::unavailable);
        CHECK(contains(error.hint(), "ask the Hub again"));
    }
    const std::pair<unsigned, ErrorKind> rows[] = {
        {413, ErrorKind::invalid_request}, {422, ErrorKind::integrity},
        {429, ErrorKind::rate_limited},    {503, ErrorKind::unavailable},
        {407, ErrorKind::network},         {302, ErrorKind::protocol},
        {304, ErrorKind::protocol}};
    for (const auto& [status, kind] : rows) {
        CAPTURE(status);
        Scene scene;
        scene.answer(status, "", {{"Location", "https://s3.example/y"}});
        CHECK(kind_of(scene.client.put("https://s3.example/x", wharf::net::make_body("x"))) ==
              kind);
    }
}

TEST_CASE("bytes may be sent elsewhere, but not in the clear") {
    Scene scene;
    scene.answer(307, "", {{"Location", "https://s3-eu.example/x?sig"}});
    scene.answer(200, "", {{"ETag", "e"}});
    const auto body = wharf::net::make_body("bytes");
    CHECK(result_of(scene.client.put("https://s3.example/x", body)) == "e");
    CHECK(scene.said(1) == "PUT https://s3-eu.example/x?sig ");
    CHECK(scene.request(1).stream == body);

    scene.answer(307, "", {{"Location", "http://s3.example/x"}});
    CHECK(kind_of(scene.client.put("https://s3.example/x", body)) == ErrorKind::protocol);
    CHECK(kind_of(scene.client.put("http://s3.example/x", body)) == ErrorKind::protocol);
    CHECK(kind_of(scene.client.put("no address", body)) == ErrorKind::invalid_request);
    CHECK(scene.transport.requests.size() == 3);
}

TEST_CASE("an ETag is short and printable") {
    for (const std::string& etag : {std::string(1025, 'x'), std::string{"a\x01"},
                                    std::string{"\xc3\xa9"}, std::string{"a\tb"}}) {
        Scene scene;
        scene.answer(200, "", {{"ETag", etag}});
        CHECK(kind_of(scene.client.put("https://s3.example/x", wharf::net::make_body("x"))) ==
              ErrorKind::protocol);
    }
}

TEST_CASE("parts are put together") {
    Scene scene;
    scene.answer(200, "{}");
    wharf::test::run(
        scene.client.complete("https://hub.example/c?sig=1", lfs_etag, {"\"e1\"", "e2"}));
    CHECK(scene.said() == "POST https://hub.example/c?sig=1 {\"oid\":\"" + lfs_etag +
                              R"(","parts":[{"partNumber":1,"etag":"\"e1\""},)"
                              R"({"partNumber":2,"etag":"e2"}]})");
    CHECK_FALSE(scene.shows_token());
    CHECK(scene.transport.field(0, "Content-Type") == "application/vnd.git-lfs+json");
    scene.answer(404, "");
    CHECK(failure_of(scene.client.complete("https://hub.example/c", lfs_etag, {})).kind() ==
          ErrorKind::unavailable);
}

TEST_CASE("an object is verified, with the token only at the Hub") {
    Scene scene;
    scene.answer(200, "");
    wharf::test::run(scene.client.verify("https://hub.example/v", {lfs_etag, 5}, scene.token));
    CHECK(scene.said() == "POST https://hub.example/v " + object(lfs_etag, 5));
    CHECK(scene.shows_token());
    scene.answer(200, "");
    wharf::test::run(scene.client.verify("https://else.example/v", {lfs_etag, 5}, scene.token));
    CHECK_FALSE(scene.shows_token(1));
    scene.answer(307, "", {{"Location", "https://else.example/v"}});
    scene.answer(200, "");
    wharf::test::run(scene.client.verify("https://hub.example/v", {lfs_etag, 5}, scene.token));
    CHECK(scene.shows_token(2));
    CHECK_FALSE(scene.shows_token(3));
    scene.answer(422, "");
    CHECK(failure_of(scene.client.verify("https://hub.example/v", {lfs_etag, 5}, scene.token))
              .kind() == ErrorKind::integrity);
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
        Scene scene;
        scene.answer(200, R"({"commitOid":")" + head + R"(","commitUrl":")" +
                              (url.find('\\') == url.npos ? url : "https://hub/\\u001b") + R"("})");
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
