#include "base/digest.hpp"

#include <doctest/doctest.h>

#include <string>

namespace {

std::string hash(std::string_view etag_like, std::string_view content) {
    wharf::BlobHasher hasher{etag_like, content.size()};
    for (const char c : content) { // one byte at a time: feeding in parts must not matter
        hasher.update(std::as_bytes(std::span{&c, 1}));
    }
    return hasher.finish();
}

const std::string sha256_like(64, '0');
const std::string git_like(40, '0');

} // namespace

TEST_CASE("blobs are named as git and the Hub name them") {
    // `printf abc | sha256sum` and `printf abc | git hash-object --stdin`
    CHECK(hash(sha256_like, "abc") ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(hash(git_like, "abc") == "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f");
    CHECK(hash(git_like, "") == "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    CHECK(wharf::sha256_hex("abc") == hash(sha256_like, "abc"));
}

TEST_CASE("only lower-case hex of the two lengths is a blob name") {
    CHECK(wharf::is_blob_name(std::string(40, 'a')));
    CHECK(wharf::is_blob_name(std::string(64, '9')));
    for (const auto& bad :
         {std::string{}, std::string(41, 'a'), std::string(40, 'A'), std::string(63, '0'),
          std::string(39, 'a') + "/", "../" + std::string(37, 'a')}) {
        CAPTURE(bad);
        CHECK_FALSE(wharf::is_blob_name(bad));
    }
    CHECK(wharf::is_commit_id(std::string(40, 'f')));
    CHECK_FALSE(wharf::is_commit_id(std::string(64, 'f')));
}
