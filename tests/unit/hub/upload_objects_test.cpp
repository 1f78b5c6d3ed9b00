#include "upload_scene.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

const std::string other_oid(64, 'b');

std::string object(const std::string& oid, int size, const std::string& more = "") {
    return R"({"oid":")" + oid + R"(","size":)" + std::to_string(size) + more + "}";
}

std::string objects(const std::string& listed) {
    return R"({"transfer":"basic","objects":[)" + listed + "]}";
}

} // namespace

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
        CHECK(error.is_lasting());
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
