#include "daemon/hub/hub_client.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using wharf::Error;
using wharf::ErrorKind;

namespace {

RepoAccess standing(Setup& setup, const std::string& body) {
    setup.transport.answers = {{200, {}, body}};
    return result_of(setup.client.standing(setup.repo));
}

bool is_open(const RepoAccess& access) {
    return !access.is_private && !access.gated && !access.disabled;
}

const std::string invalid = "Invalid credentials in Authorization header";

} // namespace

TEST_CASE("a repo's standing is asked without a token") {
    Setup setup;
    CHECK(is_open(standing(setup, R"({"private":false,"gated":false,"disabled":false})")));
    CHECK(setup.transport.asked(0) == "https://hub.example/api/models/org/name"
                                      "?expand=private&expand=gated&expand=disabled");
    CHECK(setup.transport.field(0, "Authorization").empty());
    CHECK(setup.transport.accounts[0].token.empty());
}

TEST_CASE("only what is said to be open is open") {
    Setup setup;
    CHECK(is_open(standing(setup, R"({"private":false,"gated":false})")));
    CHECK(standing(setup, R"({"private":false,"gated":"auto"})").gated);
    CHECK(standing(setup, R"({"private":false,"gated":"manual"})").gated);
    CHECK(standing(setup, R"({"private":true,"gated":false})").is_private);
    CHECK(standing(setup, R"({"private":false,"gated":false,"disabled":true})").disabled);
    for (const char* body :
         {"{}", R"({"private":false})", R"({"gated":false})", R"({"private":null,"gated":false})",
          R"({"private":false,"gated":null})", R"({"private":0,"gated":false})",
          R"({"private":"false","gated":false})", R"({"private":false,"gated":0})",
          R"({"private":false,"gated":"false"})", R"({"private":false,"gated":[]})",
          R"({"private":false,"gated":false,"disabled":"yes"})"}) {
        CAPTURE(body);
        CHECK_FALSE(is_open(standing(setup, body)));
    }
    for (const char* body :
         {"", "[]", "<html>", R"({"private":false,"gated":"auto","gated":false})"}) {
        setup.transport.answers = {{200, {}, body}};
        CHECK(error_of(setup.client.standing(setup.repo)).kind() == ErrorKind::protocol);
    }
}

TEST_CASE("a repo that is not shown gives the Hub's refusal") {
    for (const auto& [answer, kind] : std::vector<std::pair<Answer, ErrorKind>>{
             {{401, {{"X-Error-Code", "RepoNotFound"}}, ""}, ErrorKind::repo_not_found},
             {{404, {{"X-Error-Code", "RepoNotFound"}}, ""}, ErrorKind::repo_not_found},
             {{401, {}, ""}, ErrorKind::repo_not_found},
             {{403, {{"X-Error-Code", "GatedRepo"}}, ""}, ErrorKind::gated},
             {{403, {{"X-Error-Message", "Access to this resource is disabled."}}, ""},
              ErrorKind::forbidden},
             {{503, {}, ""}, ErrorKind::unavailable},
             {{407, {}, ""}, ErrorKind::network}}) {
        Setup setup;
        setup.transport.answers = {answer};
        CHECK(error_of(setup.client.standing(setup.repo)).kind() == kind);
    }
}

TEST_CASE("of a space it is asked whether all may read its files") {
    Setup setup;
    setup.repo.type = RepoType::space;
    CHECK(is_open(standing(setup, "OK")));
    CHECK(setup.transport.asked(0) == "https://hub.example/api/spaces/org/name/auth-check");
    CHECK(setup.transport.field(0, "Authorization").empty());
    setup.transport.answers = {{401, {{"X-Error-Code", "RepoNotFound"}}, ""}};
    CHECK(error_of(setup.client.standing(setup.repo)).kind() == ErrorKind::repo_not_found);
}

TEST_CASE("a token is checked, also by a repo's old name") {
    Setup setup;
    setup.transport.answers = {{200, {}, "OK"}};
    wharf::test::run(setup.client.auth_check(setup.repo, setup.token));
    CHECK(setup.transport.asked(0) == "https://hub.example/api/models/org/name/auth-check");
    CHECK(setup.transport.field(0, "Authorization") == "Bearer " + secret);

    setup.transport.answers = {{307, {{"Location", "/api/models/org/new/auth-check"}}, ""},
                               {200, {}, "OK"}};
    wharf::test::run(setup.client.auth_check(setup.repo, setup.token));
    CHECK(setup.transport.field(2, "Authorization") == "Bearer " + secret);
}

TEST_CASE("no other page's being there is a proof") {
    for (const char* elsewhere : {"/login?next=/api/models/org/name/auth-check", "/org/new",
                                  "/api/datasets/org/name/auth-check", "/api/models/org/new",
                                  "https://evil.example/api/models/org/name/auth-check"}) {
        CAPTURE(elsewhere);
        Setup setup;
        setup.transport.answers = {{302, {{"Location", elsewhere}}, ""}, {200, {}, "OK"}};
        try {
            wharf::test::run(setup.client.auth_check(setup.repo, setup.token));
            FAIL("taken as a proof");
        } catch (const Error& error) {
            CHECK(error.kind() == ErrorKind::protocol);
        }
    }
}

TEST_CASE("a token's owner is told in words that can be shown") {
    Setup setup;
    setup.transport.answers = {
        {200, {}, R"({"type":"user","name":"alice","fullname":"Al\u001b[2Jice",
        "orgs":[{"name":"org"},{"name":"other","roleInOrg":"read"},{}],
        "auth":{"type":"access_token","accessToken":{"displayName":"laptop","role":"fineGrained",
            "fineGrained":{"global":[],"scoped":[{"permissions":["repo.content.read"]}]}}}})"}};
    const TokenOwner owner = result_of(setup.client.whoami(setup.token));
    CHECK(setup.transport.asked(0) == "https://hub.example/api/whoami-v2");
    CHECK(setup.transport.field(0, "Authorization") == "Bearer " + secret);
    CHECK(owner.name == "alice");
    CHECK_FALSE(contains(owner.fullname, "\x1b"));
    CHECK(owner.type == "user");
    CHECK(owner.orgs == std::vector<std::string>{"org", "other"});
    CHECK(owner.token_name == "laptop");
    CHECK(owner.token_role == "fineGrained");
}

TEST_CASE("of a token's owner only the name must be told") {
    Setup setup;
    setup.transport.answers = {{200, {}, R"({"name":"alice","auth":"new","orgs":{}})"},
                               {200, {}, R"({"type":"user"})"},
                               {200, {}, R"({"name":7})"}};
    CHECK(result_of(setup.client.whoami(setup.token)).name == "alice");
    CHECK(error_of(setup.client.whoami(setup.token)).kind() == ErrorKind::protocol);
    CHECK(error_of(setup.client.whoami(setup.token)).kind() == ErrorKind::protocol);
}

TEST_CASE("a token that is not accepted is said to be just that") {
    for (const Fields& fields :
         {Fields{{"X-Error-Message", invalid}},
          Fields{{"X-Error-Message", "Invalid username or password."}}, Fields{}}) {
        Setup setup;
        setup.transport.answers = {{401, fields, ""}};
        const Error error = error_of(setup.client.whoami(setup.token));
        CHECK(error.kind() == ErrorKind::unauthorized);
        CHECK(error.message() == "the Hub does not accept the token");
    }
    Setup setup;
    setup.transport.answers = {{503, {}, ""}};
    CHECK(contains(error_of(setup.client.whoami(setup.token)).message(), "the token's account"));
}
