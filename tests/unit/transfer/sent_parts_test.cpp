#include "base/error.hpp"
#include "daemon/transfer/sent_parts.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using wharf::Error;
using wharf::hub::UploadAction;
using wharf::transfer::is_same_upload;
using wharf::transfer::SentParts;

namespace {

UploadAction in_parts(std::size_t parts, std::uint64_t chunk, const std::string& query = "") {
    UploadAction action{
        .href = "https://s/complete", .chunk_size = chunk, .parts = {}, .verify = {}};
    for (std::size_t i = 0; i < parts; ++i) {
        action.parts.push_back("https://s/x/" + std::to_string(i) + query);
    }
    return action;
}

const UploadAction whole{.href = "https://s/x", .chunk_size = 0, .parts = {}, .verify = {}};

} // namespace

TEST_CASE("the same upload has the same parts and the same id") {
    const auto first = in_parts(2, 10, "?partNumber=1&uploadId=abc&sig=1");
    CHECK(is_same_upload(first, in_parts(2, 10, "?sig=2&uploadid=abc")));
    CHECK(is_same_upload(first, in_parts(2, 10, "?UPLOADID=abc")));
    CHECK_FALSE(is_same_upload(first, in_parts(2, 10, "?uploadId=abcd")));
    CHECK_FALSE(is_same_upload(first, in_parts(2, 10, "?xuploadId=abc")));
    CHECK_FALSE(is_same_upload(first, in_parts(2, 10, "?sig=1")));
    CHECK_FALSE(is_same_upload(first, in_parts(2, 11, "?uploadId=abc")));
    CHECK_FALSE(is_same_upload(first, whole));
    CHECK_FALSE(is_same_upload(whole, whole));

    auto by_href = in_parts(2, 10);
    by_href.href += "?uploadId=1";
    auto other_href = by_href;
    other_href.href = "https://s/complete?uploadId=2";
    CHECK(is_same_upload(by_href, by_href));
    CHECK_FALSE(is_same_upload(by_href, other_href));
}

TEST_CASE("without an id, the place of the parts says which upload it is") {
    const auto first = in_parts(2, 10, "?sig=1");
    CHECK(is_same_upload(first, in_parts(2, 10, "?sig=2")));
    auto elsewhere = first;
    elsewhere.parts[1] = "https://s/y/1?sig=1";
    CHECK_FALSE(is_same_upload(first, elsewhere));
}

TEST_CASE("an object's parts cover it") {
    SentParts parts{25};
    CHECK_FALSE(parts.has_action());
    CHECK_FALSE(parts.renew(in_parts(3, 10), true));
    CHECK(parts.count() == 3);
    CHECK(parts.begin_of(2) == 20);
    CHECK(parts.size_of(0) == 10);
    CHECK(parts.size_of(2) == 5);
    CHECK(parts.url(1) == "https://s/x/1");
    CHECK(parts.missing() == 3);

    CHECK(parts.begin_next() == 0);
    CHECK(parts.begin_next() == 1);
    parts.set_sent(1, "b");
    parts.give_back(1); // too late
    parts.give_back(0);
    CHECK(parts.begin_next() == 0);
    parts.set_sent(0, "a");
    CHECK(parts.bytes_sent() == 20);
    CHECK_FALSE(parts.is_complete());
    CHECK(parts.begin_next() == 2);
    CHECK_FALSE(parts.begin_next());
    parts.set_sent(2, "c");
    CHECK(parts.is_complete());
    CHECK(parts.bytes_sent() == 25);
    CHECK(parts.etags() == std::vector<std::string>{"a", "b", "c"});
}

TEST_CASE("an object in one request is one part") {
    SentParts parts{25};
    parts.renew(whole, true);
    CHECK(parts.count() == 1);
    CHECK(parts.size_of(0) == 25);
    CHECK(parts.url(0) == whole.href);
    CHECK_FALSE(parts.is_in_parts());
    SentParts empty{0};
    empty.renew(whole, true);
    CHECK(empty.begin_next() == 0);
}

TEST_CASE("new URLs keep what was sent for the same upload only, and when they may") {
    SentParts parts{25};
    parts.renew(in_parts(3, 10, "?uploadId=a&sig=1"), true);
    parts.set_sent(1, "b");
    CHECK(parts.renew(in_parts(3, 10, "?uploadId=a&sig=2"), true));
    CHECK(parts.bytes_sent() == 10);
    CHECK(parts.url(0).ends_with("sig=2"));
    CHECK_THROWS_AS(parts.renew(in_parts(2, 10, "?uploadId=a"), true), Error);
    CHECK(parts.bytes_sent() == 10);
    CHECK_FALSE(parts.renew(in_parts(3, 10, "?uploadId=a&sig=3"), false));
    CHECK(parts.bytes_sent() == 0);
    parts.set_sent(1, "b");
    CHECK_FALSE(parts.renew(in_parts(3, 10, "?uploadId=b"), true));
    CHECK(parts.bytes_sent() == 0);
}

TEST_CASE("what an earlier run left is taken up as far as it fits") {
    SentParts parts{25};
    parts.restore({.action = in_parts(2, 10), .etags = {{0, "a"}}});
    CHECK_FALSE(parts.has_action());
    parts.restore({.action = in_parts(3, 10), .etags = {{0, "a"}, {7, "x"}}});
    CHECK(parts.bytes_sent() == 10);
    const auto sent = parts.sent();
    CHECK(sent.etags == std::vector<std::pair<std::size_t, std::string>>{{0, "a"}});
    CHECK(sent.action.parts.size() == 3);
}
