#include "client/cli/endpoint.hpp"
#include "client/cli/failure.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace wharf::cli;

TEST_CASE("spellings of one endpoint are the same") {
    CHECK(is_same_endpoint("https://huggingface.co", "https://huggingface.co/"));
    CHECK(is_same_endpoint("HTTPS://HuggingFace.co:443//", "https://huggingface.co"));
    CHECK(is_same_endpoint("http://hub:80/Mirror/", "http://HUB/Mirror"));
    CHECK(!is_same_endpoint("http://hub", "https://hub"));
    CHECK(!is_same_endpoint("http://hub:443", "https://hub:443"));
    CHECK(!is_same_endpoint("https://hub:444", "https://hub"));
    CHECK(!is_same_endpoint("https://hub/a", "https://hub/A"));
    CHECK(!is_same_endpoint("https://hub.evil", "https://hub"));
    CHECK(!is_same_endpoint("hub", "https://hub"));
}

TEST_CASE("a token goes to no other endpoint than its owner means") {
    CHECK(!check_endpoint("https://hub/", "https://hub", true));
    CHECK(!check_endpoint("https://hub/", "https://hub", false));
    const auto warning = check_endpoint("https://me:secret@mirror/x", "https://hub", false);
    REQUIRE(warning);
    CHECK(warning->starts_with("HF_ENDPOINT is https://mirror/x, but the daemon asks https://hub"));
    try {
        check_endpoint("https://me:secret@mirror/x", "https://hub", true);
        FAIL("the token would have been sent");
    } catch (const Failure& failure) {
        CHECK(failure.code() == wharf::protocol::ExitCode::usage);
        CHECK(failure.message().find("not sent") != std::string::npos);
        CHECK(failure.message().find("secret") == std::string::npos);
        CHECK(failure.hint().find("--token \"\"") != std::string::npos);
    }
}
