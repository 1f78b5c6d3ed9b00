#include "daemon/scheduling/retry.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace std::chrono_literals;
using wharf::Error;
using wharf::ErrorKind;
using wharf::scheduling::Retry;
using wharf::scheduling::RetryPolicy;

namespace {

constexpr RetryPolicy policy{
    .max_failures = 4, .initial = 400ms, .ceiling = 1000ms, .longest_asked = 60s};

} // namespace

TEST_CASE("delays grow, are jittered within one half, and end") {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Retry retry{policy, seed};
        const Error error{ErrorKind::network, "reset"};
        for (const auto base : {400ms, 800ms, 1000ms}) {
            const auto delay = retry.next(error);
            REQUIRE(delay);
            CHECK(*delay >= base / 2);
            CHECK(*delay <= base);
        }
        CHECK_FALSE(retry.next(error));
    }
}

TEST_CASE("progress forgives earlier failures") {
    Retry retry{policy, 1};
    const Error error{ErrorKind::unavailable, "503"};
    for (int i = 0; i < 20; ++i) {
        REQUIRE(retry.next(error));
        REQUIRE(retry.next(error));
        retry.progress();
    }
}

TEST_CASE("a wait that the peer named is kept, and costs no tries") {
    Retry retry{policy, 1};
    Error limited{ErrorKind::rate_limited, "429"};
    limited.set_retry_after(30s);
    for (int i = 0; i < 20; ++i) {
        const auto delay = retry.next(limited);
        REQUIRE(delay);
        CHECK(*delay >= 30s);
    }
    Error busy{ErrorKind::unavailable, "503"};
    busy.set_retry_after(5s);
    CHECK(retry.next(busy) >= 5s);
    Error long_wait{ErrorKind::rate_limited, "429"};
    long_wait.set_retry_after(61s);
    CHECK_FALSE(retry.next(long_wait));
    // Without a time to wait for, a 429 counts like any failure.
    Retry blind{policy, 1};
    const Error vague{ErrorKind::rate_limited, "429"};
    CHECK(blind.next(vague));
    CHECK(blind.next(vague));
    CHECK(blind.next(vague));
    CHECK_FALSE(blind.next(vague));
}

TEST_CASE("failures of several connections at once are one") {
    Retry retry{policy, 1};
    const Error error{ErrorKind::network, "reset"};
    for (int round = 0; round < 3; ++round) {
        REQUIRE(retry.next(error));
        for (int other = 0; other < 10; ++other) {
            REQUIRE(retry.next(error, true));
        }
    }
    CHECK_FALSE(retry.next(error));
    CHECK_FALSE(retry.next(error, true));
}

TEST_CASE("garbled answers are not waited for as long as broken ones") {
    Retry retry{policy, 1};
    const Error error{ErrorKind::protocol, "not HTTP"};
    CHECK(retry.next(error));
    CHECK_FALSE(retry.next(error));
}

TEST_CASE("an error that lasts is met twice, soon after each other, and then told") {
    for (const unsigned most : {2U, 4U, 5U, 6U}) {
        RetryPolicy with = policy;
        with.max_failures = most;
        Retry retry{with, 1};
        Error error{ErrorKind::network, "the certificate is refused"};
        error.set_lasting();
        const auto delay = retry.next(error);
        REQUIRE(delay);
        CHECK(*delay <= with.initial);
        CHECK_FALSE(retry.next(error));
    }
}

TEST_CASE("what will not heal is not tried again") {
    for (const auto kind :
         {ErrorKind::invalid_request, ErrorKind::repo_not_found, ErrorKind::revision_not_found,
          ErrorKind::file_not_found, ErrorKind::unauthorized, ErrorKind::gated,
          ErrorKind::forbidden, ErrorKind::conflict, ErrorKind::integrity, ErrorKind::no_space,
          ErrorKind::quota, ErrorKind::storage, ErrorKind::cancelled, ErrorKind::internal}) {
        Retry retry{policy, 1};
        CAPTURE(wharf::name(kind));
        CHECK_FALSE(retry.next(Error{kind, "no"}));
    }
}
