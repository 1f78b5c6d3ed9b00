#include "base/base64.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

using wharf::append_base64;
using wharf::base64;
using wharf::base64_size;

TEST_CASE("base64 as RFC 4648 has it") {
    const std::pair<std::string, std::string> rows[] = {{"", ""},
                                                        {"f", "Zg=="},
                                                        {"fo", "Zm8="},
                                                        {"foo", "Zm9v"},
                                                        {"foob", "Zm9vYg=="},
                                                        {"fooba", "Zm9vYmE="},
                                                        {"foobar", "Zm9vYmFy"},
                                                        {"\xff\xfe\xfd\xfb\xef", "//79++8="}};
    for (const auto& [text, encoded] : rows) {
        CHECK(base64(text) == encoded);
        CHECK(base64_size(text.size()) == encoded.size());
    }
}

TEST_CASE("pieces of three bytes join") {
    const std::string text = "all the bytes of a text";
    std::string out;
    for (std::size_t i = 0; i < text.size(); i += 6) {
        append_base64(
            out,
            std::as_bytes(std::span{text}).subspan(i, std::min<std::size_t>(6, text.size() - i)));
    }
    CHECK(out == base64(text));
}
