#include "daemon/hub/header_fields.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;
using std::chrono::seconds;

namespace {

/// Sun, 06 Nov 1994 08:49:37 GMT
const std::chrono::system_clock::time_point then{seconds{784111777}};

std::optional<seconds> wait(const Fields& fields) {
    return wait_asked(headers_of(fields), then);
}

std::optional<std::string> next(const std::string& field) {
    return next_link(headers_of({{"Link", field}})).value();
}

} // namespace

TEST_CASE("etags lose their decoration and must be hashes") {
    for (const std::string& hash : {git_etag, lfs_etag}) {
        CHECK(blob_name_of_etag(hash) == hash);
        CHECK(blob_name_of_etag("\"" + hash + "\"") == hash);
        CHECK(blob_name_of_etag("W/\"" + hash + "\"") == hash);
        CHECK(blob_name_of_etag("W/" + hash) == hash);
        CHECK(blob_name_of_etag(" \"" + hash + "\" ") == hash);
        CHECK(blob_name_of_etag("\"W/" + hash + "\"").empty());
        CHECK(blob_name_of_etag("\"" + hash + "-1\"").empty());
    }
    for (const std::string& other :
         {std::string{}, std::string{"\""}, std::string{"W/\"\""}, std::string(32, 'a'),
          std::string(40, 'G'), std::string(64, 'A'), std::string{"../../etc/passwd"}}) {
        CHECK(blob_name_of_etag(other).empty());
    }
}

TEST_CASE("Content-Range is read strictly") {
    const auto range = parse_content_range("bytes 5-9/10");
    REQUIRE(range.has_value());
    CHECK(range->first == 5);
    CHECK(range->last == 9);
    CHECK(range->total == 10U);
    CHECK(parse_content_range("bytes 0-0/*").value().total == std::nullopt);
    CHECK(parse_content_range(" Bytes 0-0/1 ").value().first == 0);
    for (const char* bad : {"",
                            "bytes",
                            "bytes ",
                            "bytes */10",
                            "bytes 5-4/10",
                            "bytes 0-10/10",
                            "bytes 0-9/9",
                            "bytes -1-2/3",
                            "bytes 1-/3",
                            "bytes -2/3",
                            "bytes 0-1",
                            "bytes 0-1/",
                            "bytes 0-1/x",
                            "bytes +0-1/2",
                            "bytes 0x0-1/2",
                            "bytes 0-1/2 ,",
                            "bytes=0-1/2",
                            "items 0-1/2",
                            "bytes 0-1/18446744073709551616",
                            "bytes 0-1,3-4/5",
                            "bytes 0 - 1/2"}) {
        CAPTURE(bad);
        const auto parsed = parse_content_range(bad);
        REQUIRE(parsed.has_error());
        CHECK(parsed.error().kind() == wharf::ErrorKind::protocol);
    }
}

TEST_CASE("numbers are digits and nothing else") {
    CHECK(parse_number("0") == 0U);
    CHECK(parse_number("18446744073709551615") == 18446744073709551615ULL);
    for (const char* bad :
         {"", " 1", "1 ", "+1", "-1", "1.0", "1e3", "0x1", "18446744073709551616"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_number(bad));
    }
}

TEST_CASE("the next page is found among links") {
    CHECK(next("<https://h/a?b=c>; rel=\"next\"") == "https://h/a?b=c");
    CHECK(next("</a>;rel=next") == "/a");
    CHECK(next("</a> ; REL = \"Next\" ") == "/a");
    CHECK(next("<x>; rel=\"xet-auth\", <y>; rel=\"next\"") == "y");
    CHECK(next("<y>; rel=\"next\", <x>; rel=\"xet-auth\"") == "y");
    CHECK(next("<a,b;c>; title=\"d,e;f\\\"g>\"; rel=\"prev next\"") == "a,b;c");
    CHECK(next(", ,<y>; rel=next,") == "y");
    CHECK(next("<y>; crossorigin; rel=next") == "y");
    CHECK(next("<x>; rel=first; rel=next") == std::nullopt);
    CHECK(next("<x>; rel=nextpage") == std::nullopt);
    CHECK(next("<x>; title=next") == std::nullopt);
    CHECK(next("<x>") == std::nullopt);
    CHECK(next("") == std::nullopt);
    CHECK(next_link(headers_of({})).value() == std::nullopt);
    CHECK(next_link(headers_of({{"Link", "<x>; rel=a"}, {"link", "<y>; rel=next"}})).value() ==
          "y");
}

TEST_CASE("links that cannot be read are errors, not the end of a listing") {
    for (const char* bad :
         {"https://h/a; rel=next", "<y; rel=next", "<y>; rel=\"next", "<y> rel=next",
          "<y>; rel=next, <z>; rel=next", "<y>; rel=\"next\" x"}) {
        CAPTURE(bad);
        const auto link = next_link(headers_of({{"Link", bad}}));
        REQUIRE(link.has_error());
        CHECK(link.error().kind() == wharf::ErrorKind::protocol);
    }
    CHECK(
        next_link(headers_of({{"Link", "<x>; rel=next"}, {"Link", "<y>; rel=next"}})).has_error());
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
