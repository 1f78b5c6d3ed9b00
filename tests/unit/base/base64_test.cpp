#include "base/base64.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

using wharf::append_base64;
using wharf::base64;
using wharf::base64_size;
using wharf::from_base64;
using namespace std::string_view_literals;

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
        CHECK(from_base64(encoded).value() == text);
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

TEST_CASE("all bytes come back") {
    std::string all;
    for (int byte = 0; byte < 256; ++byte) {
        all.push_back(static_cast<char>(byte));
        CHECK(from_base64(base64(all)).value() == all);
    }
}

TEST_CASE("what is not quite base64 is refused") {
    for (const auto text : {"Z"sv, "Zg"sv, "Zg="sv, "Zg==="sv, "===="sv, "="sv, "Zm9v\n"sv,
                            "Zm9v "sv, "Z g="sv, "Zm9v===="sv, "Zg==Zg=="sv, "Zm=v"sv, "Zm-_"sv,
                            "Zm9\0"sv, "Zh=="sv, "Zm9="sv, "\xc3\xa9Zg"sv}) {
        CAPTURE(text);
        CHECK(from_base64(text).has_error());
    }
}
