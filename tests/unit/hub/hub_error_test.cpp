#include "daemon/hub/hub_error.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

const Subject subject{{RepoType::dataset, "org/name"}, "dev", "a/b.bin"};

Error hub_says(unsigned status, const Fields& fields = {}, std::string_view body = {},
               const Subject& about = subject) {
    const wharf::net::Headers headers = headers_of(fields);
    const Error error = hub_error({status, headers, body, {}}, about);
    check_discreet(error);
    return error;
}

Error location_says(unsigned status, const Fields& fields = {}) {
    const auto url = wharf::net::Url::parse("https://cdn.example/x?sig=secret-query").value();
    const wharf::net::Headers headers = headers_of(fields);
    const Error error = location_error({status, headers, "<Error/>", {}}, url, subject);
    check_discreet(error);
    return error;
}

struct Case {
    unsigned status;
    Fields fields;
    ErrorKind kind;
};

} // namespace

TEST_CASE("subjects are named as far as they are known") {
    CHECK(describe(subject) == "'a/b.bin' of dataset org/name at 'dev'");
    CHECK(describe(Subject{subject.repo, "dev", {}}) == "dataset org/name at 'dev'");
    CHECK(describe(Subject{subject.repo, {}, {}}) == "dataset org/name");
    CHECK(describe(shared_file(subject.repo, "dev")) == "the file");
}

TEST_CASE("the Hub's refusals become errors that say what to do") {
    const std::string code = "X-Error-Code";
    const std::string text = "X-Error-Message";
    for (const auto& [status, fields, kind] : std::vector<Case>{
             {404, {{code, "RepoNotFound"}}, ErrorKind::repo_not_found},
             {401, {{code, "RepoNotFound"}}, ErrorKind::repo_not_found},
             {404, {{code, "RevisionNotFound"}}, ErrorKind::revision_not_found},
             {404, {{"x-error-code", "EntryNotFound"}}, ErrorKind::file_not_found},
             {403, {{code, "GatedRepo"}}, ErrorKind::gated},
             {401, {{code, "GatedRepo"}}, ErrorKind::gated},
             {403, {{text, "Access to this resource is disabled."}}, ErrorKind::forbidden},
             {401,
              {{text, "Invalid credentials in Authorization header"}},
              ErrorKind::unauthorized},
             {401, {{text, "Invalid username or password."}}, ErrorKind::repo_not_found},
             {401, {}, ErrorKind::repo_not_found},
             {404, {}, ErrorKind::repo_not_found},
             {404, {{code, "SomethingNew"}}, ErrorKind::repo_not_found},
             {403, {}, ErrorKind::forbidden},
             {402, {}, ErrorKind::forbidden},
             {451, {}, ErrorKind::forbidden},
             {407, {}, ErrorKind::network},
             {429, {}, ErrorKind::rate_limited},
             {408, {}, ErrorKind::unavailable},
             {500, {}, ErrorKind::unavailable},
             {502, {}, ErrorKind::unavailable},
             {503, {}, ErrorKind::unavailable},
             {504, {}, ErrorKind::unavailable},
             {400, {}, ErrorKind::protocol},
             {416, {}, ErrorKind::protocol},
             {418, {}, ErrorKind::protocol},
             {204, {}, ErrorKind::protocol},
             {304, {}, ErrorKind::protocol}}) {
        CAPTURE(status);
        const Error error = hub_says(status, fields);
        CHECK(error.kind() == kind);
        CHECK((contains(error.message(), "org/name") || status == 407 || status == 429));
        CHECK_FALSE(error.retry_after());
    }
}

TEST_CASE("a private repo and a missing one give the same answer") {
    const Error hidden = hub_says(401, {{"X-Error-Message", "Invalid username or password."}},
                                  "{\"error\":\"you may not\"}");
    const Error missing = hub_says(404, {{"X-Error-Code", "RepoNotFound"}}, "Repository not found");
    CHECK(hidden.kind() == missing.kind());
    CHECK(hidden.message() == missing.message());
    CHECK(hidden.hint() == missing.hint());
    CHECK(missing.message() == "dataset org/name does not exist or is not visible to you");
}

TEST_CASE("errors name what is missing") {
    CHECK(contains(hub_says(404, {{"X-Error-Code", "EntryNotFound"}}).message(), "'a/b.bin'"));
    CHECK(contains(hub_says(404, {{"X-Error-Code", "RevisionNotFound"}}).message(), "'dev'"));
    const Subject whole{subject.repo, "dev", {}};
    CHECK(
        contains(hub_says(404, {{"X-Error-Code", "EntryNotFound"}}, {}, whole).message(), "'dev'"));
    CHECK_FALSE(hub_says(403, {{"X-Error-Code", "GatedRepo"}}).hint().empty());
}

TEST_CASE("a refusal carries the Hub's reason, made harmless") {
    CHECK(hub_says(403, {{"X-Error-Message", "Storage limit reached."}}).message() ==
          "the Hub refuses 'a/b.bin' of dataset org/name at 'dev': Storage limit reached");
    CHECK(contains(hub_says(403, {}, vector_text("error_forbidden.json")).message(),
                   "https://hub.example/pricing for plans"));
    CHECK(contains(hub_says(403, {}, "{\"error\":\"bad " + secret + "\"}").message(), "[token]"));
    CHECK(hub_says(403, {}, "<html><b>no</b></html>").message() ==
          "the Hub refuses 'a/b.bin' of dataset org/name at 'dev'");
    CHECK(hub_says(403, {}, std::string(60000, 'x')).message().size() < 400);
    CHECK(contains(hub_says(400, {}, "{\"error\":\"no such thing\"}").message(), "400"));
    CHECK_FALSE(contains(hub_says(403, {{"X-Error-Message", "a\x1b[2Jb"}}).message(), "\x1b"));
}

TEST_CASE("the Hub's wish to wait is kept") {
    using std::chrono::seconds;
    CHECK(hub_says(429, {{"RateLimit", "\"api\";r=0;t=12"}}).retry_after() == seconds{12});
    CHECK(hub_says(429, {{"Retry-After", "4"}}).retry_after() == seconds{4});
    CHECK(hub_says(503, {{"Retry-After", "5"}}).retry_after() == seconds{5});
    CHECK(location_says(429, {{"Retry-After", "6"}}).retry_after() == seconds{6});
    CHECK(location_says(503, {{"Retry-After", "7"}}).retry_after() == seconds{7});
}

TEST_CASE("hosts that only have bytes know nothing of repos") {
    for (const unsigned status : {400U, 401U, 403U, 404U, 410U}) {
        const Error error = location_says(status, {{"X-Error-Code", "RepoNotFound"}});
        CHECK(error.kind() == ErrorKind::unavailable);
        CHECK(contains(error.hint(), "ask the Hub again"));
        CHECK(contains(error.message(), "cdn.example"));
    }
    CHECK(location_says(429).kind() == ErrorKind::rate_limited);
    CHECK(location_says(408).kind() == ErrorKind::unavailable);
    CHECK(location_says(500).kind() == ErrorKind::unavailable);
    CHECK(location_says(416).kind() == ErrorKind::protocol);
    CHECK(location_says(204).kind() == ErrorKind::protocol);
}

TEST_CASE("a Hub that cannot be asked and one that refuses are told apart") {
    using enum ErrorKind;
    for (const ErrorKind kind : {network, unavailable, rate_limited, protocol}) {
        CHECK(hub_is_away(Error{kind, ""}));
        CHECK_FALSE(is_refusal(Error{kind, ""}));
    }
    for (const ErrorKind kind : {unauthorized, repo_not_found, gated, forbidden}) {
        CHECK(is_refusal(Error{kind, ""}));
        CHECK_FALSE(hub_is_away(Error{kind, ""}));
    }
    for (const ErrorKind kind : {revision_not_found, file_not_found, integrity, no_space, quota}) {
        CHECK_FALSE(is_refusal(Error{kind, ""}));
        CHECK_FALSE(hub_is_away(Error{kind, ""}));
    }
}
