#include "daemon/hub/quota.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf;
using namespace wharf::hub;
using namespace wharf::hub::test;
using std::chrono::seconds;

namespace {

/// Sun, 06 Nov 1994 08:49:37 GMT
const std::chrono::system_clock::time_point then{seconds{784111777}};

std::optional<seconds> wait(const Fields& fields) {
    return wait_asked(headers_of(fields), then);
}

std::optional<QuotaLeft> left(const Fields& fields) {
    return quota_left(headers_of(fields));
}

} // namespace

TEST_CASE("the Hub says what is left of a quota") {
    const auto known = left({{"RateLimit", "\"api\";r=12;t=55"},
                             {"RateLimit-Policy", "\"fixed window\";\"api\";q=500;w=300"}});
    REQUIRE(known);
    CHECK(known->requests == 12);
    CHECK(known->reset == seconds{55});
    CHECK(known->quota == 500U);
    CHECK(known->window == seconds{300});
    const auto drafted = left({{"ratelimit", " \"api\" ; t=55 ; r=12 "},
                               {"ratelimit-policy", "\"pages\";q=7;w=1, \"api\" ; w=300 ; q=500"}});
    REQUIRE(drafted);
    CHECK(drafted->requests == 12);
    CHECK(drafted->quota == 500U);
}

TEST_CASE("news is what any answer says, and the wish of a refusal") {
    const Account account{Token{secret}, Bucket::files};
    const auto headers = headers_of({{"RateLimit", "\"api\";r=12;t=55"}, {"Retry-After", "3"}});
    const QuotaNews good = quota_news("hub", account, 200, headers);
    CHECK(good.host == "hub");
    CHECK(good.account.token == account.token);
    CHECK(good.account.bucket == Bucket::files);
    CHECK_FALSE(good.refused);
    CHECK_FALSE(good.wait);
    REQUIRE(good.left);
    CHECK(good.left->requests == 12);
    const QuotaNews refusal = quota_news("hub", account, 429, headers);
    CHECK(refusal.refused);
    CHECK(refusal.wait == seconds{3});
    CHECK(refusal.left);
    const QuotaNews overload = quota_news("hub", account, 503, headers_of({{"Retry-After", "3"}}));
    CHECK_FALSE(overload.refused);
    CHECK_FALSE(overload.wait);
    CHECK_FALSE(overload.left);
}

TEST_CASE("every request goes on its asker's account, questions and files apart") {
    Setup setup;
    const std::string info = "{\"sha\":\"" + commit + "\"}";
    setup.transport.answers = {{307, {{"Location", "/api/models/org/new/revision/main"}}, ""},
                               {200, {}, info},
                               {302, {{"Location", "https://cdn.example/x?sig=secret-query"}}, ""},
                               {200, {}, "hello"}};
    CHECK(result_of(setup.client.commit_of(setup.repo, "main", setup.token)) == commit);
    const FileSource source{setup.repo, commit, "f", setup.token};
    result_of(setup.client.open_file(source, lfs_etag, 5, {}, {}));
    REQUIRE(setup.transport.accounts.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(setup.transport.accounts[i].token == setup.token);
        CHECK(setup.transport.accounts[i].bucket == (i < 2 ? Bucket::api : Bucket::files));
    }
}

TEST_CASE("of several windows the tightest counts, with its own quota") {
    const auto tightest =
        left({{"RateLimit", "\"api\";r=9;t=55, \"burst\";r=3;t=1"},
              {"RateLimit", "\"day\";r=3;t=900"},
              {"RateLimit-Policy", "\"api\";q=500;w=300, \"burst\";q=10;w=1, \"day\";q=9999"}});
    REQUIRE(tightest);
    CHECK(tightest->requests == 3);
    CHECK(tightest->reset == seconds{900});
    CHECK(tightest->quota == 9999U);
}

TEST_CASE("quotas that cannot be read are none, and silly numbers are cut") {
    for (const char* bad : {"", "x", "\"api\"", "\"api\";r=0", "\"api\";t=5", "\"api\";r=;t=",
                            "\"api\";r=-1;t=5", "\"api\";r=1.5;t=5", "\"api\";r=1;t=5s",
                            "\"api\";r=99999999999999999999;t=5", "r=\"1\";t=5", ";;;,,,"}) {
        CAPTURE(bad);
        CHECK_FALSE(left({{"RateLimit", bad}}));
    }
    CHECK_FALSE(left({{"RateLimit-Policy", "\"api\";q=500;w=300"}}));
    const auto silly = left({{"RateLimit", "\"api\";r=18446744073709551615;t=18446744073709551615"},
                             {"RateLimit-Policy", "\"api\";q=18446744073709551615"}});
    REQUIRE(silly);
    CHECK(silly->requests == 1'000'000'000);
    CHECK(silly->reset == seconds{3600});
    CHECK(silly->quota == 1'000'000'000U);
    for (const char* bad : {"", "q", "\"api\";q=many", "\"other\";q=5", "q=5", "\"api\"", ",;,"}) {
        CAPTURE(bad);
        const auto known = left({{"RateLimit", "\"api\";r=1;t=5"}, {"RateLimit-Policy", bad}});
        REQUIRE(known);
        CHECK_FALSE(known->quota);
        CHECK_FALSE(known->window);
    }
}

TEST_CASE("the Hub says how long to wait") {
    CHECK(wait({}) == std::nullopt);
    CHECK(wait({{"RateLimit", "\"api\";r=0;t=55"}}) == seconds{55});
    CHECK(wait({{"ratelimit", "\"resolvers\"; r=0; t=7"}}) == seconds{7});
    CHECK(wait({{"RateLimit", "\"api\";r=12;t=55"}}) == std::nullopt);
    CHECK(wait({{"RateLimit", "\"api\";r=12;t=55"}, {"Retry-After", "3"}}) == seconds{3});
    CHECK(wait({{"RateLimit", "\"api\";r=0;t=55"}, {"Retry-After", "3"}}) == seconds{55});
    CHECK(wait({{"RateLimit", "\"api\";r=0;t=5, \"resolvers\";r=0;t=9, \"pages\";r=1;t=99"}}) ==
          seconds{9});
    for (const char* bad : {"", "x", "\"api\"", "\"api\";r=0", "\"api\";t=5",
                            "\"api\";r=;t=", "\"api\";r=0;t=-5", "\"api\";rr=0;tt=5", ";;;,,,"}) {
        CAPTURE(bad);
        CHECK(wait({{"RateLimit", bad}}) == std::nullopt);
    }
}

TEST_CASE("Retry-After is seconds or a date") {
    CHECK(wait({{"Retry-After", "0"}}) == seconds{0});
    CHECK(wait({{"Retry-After", " 120 "}}) == seconds{120});
    CHECK(wait({{"Retry-After", "Sun, 06 Nov 1994 08:50:37 GMT"}}) == seconds{60});
    CHECK(wait({{"Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT"}}) == seconds{0});
    CHECK(wait({{"Retry-After", "Fri, 31 Dec 9999 23:59:59 GMT"}}) == seconds{3600});
    CHECK(wait({{"Retry-After", "Thu, 01 Jan 0000 00:00:00 GMT"}}) == seconds{0});
    for (const char* bad : {"", "soon", "-1", "1.5", "Sun, 06 Nov 1994 08:49:37",
                            "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
                            "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 nov 1994 08:49:37 GMT",
                            "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                            "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, xx Nov 1994 08:49:37 GMT"}) {
        CAPTURE(bad);
        CHECK(wait({{"Retry-After", bad}}) == std::nullopt);
    }
}

TEST_CASE("nobody stops us for longer than an hour") {
    CHECK(wait({{"RateLimit", "\"api\";r=0;t=999999999"}}) == seconds{3600});
    CHECK(wait({{"RateLimit", "\"api\";r=0;t=18446744073709551615"}}) == seconds{3600});
    CHECK(wait({{"Retry-After", "18446744073709551615"}}) == seconds{3600});
}
