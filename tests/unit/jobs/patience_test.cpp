#include "daemon/jobs/patience.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;
using wharf::Error;
using wharf::ErrorKind;
using wharf::jobs::Patience;

TEST_CASE("waits double from five seconds to five minutes, with jitter, until bytes come") {
    Patience patience{1};
    const Error away{ErrorKind::network, "connection refused"};
    auto expected = 5'000ms;
    for (int i = 0; i < 12; ++i) {
        CAPTURE(i);
        const auto delay = patience.next(away);
        CHECK(delay >= expected * 3 / 4);
        CHECK(delay <= expected * 5 / 4);
        expected = std::min<std::chrono::milliseconds>(expected * 2, 300'000ms);
    }
    patience.progress();
    CHECK(patience.next(away) <= 6'250ms);
}

TEST_CASE("jobs do not try again in step") {
    const Error away{ErrorKind::network, "connection refused"};
    CHECK(Patience{1}.next(away) != Patience{2}.next(away));
}

TEST_CASE("the Hub's wish counts when it is longer, and space is looked for steadily") {
    Error slow{ErrorKind::rate_limited, "too many requests"};
    slow.set_retry_after(1234s);
    CHECK(Patience{1}.next(slow) == 1234s);
    Patience patience{1};
    const Error full{ErrorKind::no_space, "disk full"};
    CHECK(patience.next(full) == 30s);
    CHECK(patience.next(full) == 30s);
}

TEST_CASE("only errors that say nothing about the request heal") {
    using wharf::jobs::heals_by_itself;
    for (const auto kind : {ErrorKind::network, ErrorKind::unavailable, ErrorKind::rate_limited,
                            ErrorKind::no_space}) {
        CHECK(heals_by_itself(kind));
    }
    for (const auto kind :
         {ErrorKind::repo_not_found, ErrorKind::gated, ErrorKind::unauthorized, ErrorKind::conflict,
          ErrorKind::integrity, ErrorKind::storage, ErrorKind::quota, ErrorKind::internal}) {
        CHECK_FALSE(heals_by_itself(kind));
    }
}
