#include "daemon/hub/header_fields.hpp"
#include "support.hpp"

#include <doctest/doctest.h>

using namespace wharf::hub;
using namespace wharf::hub::test;

namespace {

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
