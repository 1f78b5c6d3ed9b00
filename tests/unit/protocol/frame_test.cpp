#include "protocol/frame.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>

using namespace std::string_view_literals;
using wharf::UniqueFd;
using wharf::protocol::Frame;
using wharf::protocol::FrameReader;

namespace {

std::vector<std::string> take_all(FrameReader& reader) {
    std::vector<std::string> texts;
    while (true) {
        auto frame = reader.next();
        REQUIRE(frame.has_value());
        if (!*frame) {
            return texts;
        }
        texts.push_back((*frame)->text);
    }
}

std::vector<UniqueFd> some_descriptors(std::size_t count) {
    std::vector<UniqueFd> list;
    for (std::size_t i = 0; i < count; ++i) {
        list.emplace_back(wharf::adopt_fd, ::open("/dev/null", O_RDONLY | O_CLOEXEC));
    }
    return list;
}

bool is_open(int fd) {
    struct stat status{};
    return ::fstat(fd, &status) == 0;
}

} // namespace

TEST_CASE("messages come out whole however the bytes are cut") {
    const std::string_view stream = "{}\0{\"a\":1}\0\0{\"method\":\"b\"}\0"sv;
    const std::vector<std::string> expected{"{}", "{\"a\":1}", "", "{\"method\":\"b\"}"};
    for (std::size_t step = 1; step <= stream.size(); ++step) {
        CAPTURE(step);
        FrameReader reader;
        std::vector<std::string> texts;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            reader.append(stream.substr(at, step));
            for (auto& text : take_all(reader)) {
                texts.push_back(std::move(text));
            }
        }
        CHECK(texts == expected);
        CHECK_FALSE(reader.has_partial());
        CHECK(reader.buffered() == 0);
    }
}

TEST_CASE("an unfinished message is seen as such") {
    FrameReader reader;
    CHECK_FALSE(reader.has_partial());
    reader.append("{}\0{"sv);
    CHECK(take_all(reader) == std::vector<std::string>{"{}"});
    CHECK(reader.has_partial());
    CHECK(reader.buffered() == 1);
    reader.append("}\0"sv);
    CHECK(take_all(reader) == std::vector<std::string>{"{}"});
    CHECK_FALSE(reader.has_partial());
}

TEST_CASE("the limit counts a message without its NUL") {
    FrameReader reader{4};
    reader.append("1234\0"sv);
    CHECK(take_all(reader) == std::vector<std::string>{"1234"});
    SUBCASE("a whole message over it") {
        reader.append("12345\0"sv);
    }
    SUBCASE("a message over it whose end has not come") {
        reader.append("12345"sv);
    }
    SUBCASE("a message over it in pieces") {
        reader.append("1234"sv);
        CHECK(take_all(reader).empty());
        reader.append("5"sv);
    }
    const auto result = reader.next();
    REQUIRE(result.has_error());
    CHECK(result.error().kind() == wharf::ErrorKind::protocol);
}

TEST_CASE("messages before one that is over the limit are still there") {
    FrameReader reader{4};
    reader.append("ab\0cd\0"
                  "123456789"sv);
    CHECK(reader.next().value()->text == "ab");
    CHECK(reader.next().value()->text == "cd");
    CHECK(reader.next().has_error());
}

TEST_CASE("the real limit takes four MiB and no more") {
    FrameReader reader;
    reader.append(std::string(wharf::protocol::message_limit, 'x'));
    CHECK_FALSE(reader.next().value());
    reader.append("\0"sv);
    CHECK(reader.next().value()->text.size() == 4'194'304);
    reader.append(std::string(wharf::protocol::message_limit + 1, 'x'));
    CHECK(reader.next().has_error());
}

TEST_CASE("descriptors belong to the last message that begins in what was read") {
    FrameReader reader;
    SUBCASE("one message, one read") {
        reader.append("1\0"sv, some_descriptors(2));
    }
    SUBCASE("a message without any before it in the same read") {
        reader.append("0\0001\0"sv, some_descriptors(2));
        CHECK(reader.next().value()->descriptors.empty());
    }
    SUBCASE("the beginning of a message") {
        reader.append("0\0"sv);
        CHECK(reader.next().value()->descriptors.empty());
        reader.append("1"sv, some_descriptors(2));
        reader.append("\0"sv);
    }
    SUBCASE("with the end of the message only") {
        reader.append("1"sv);
        reader.append("\0"sv, some_descriptors(2));
    }
    SUBCASE("one with each part") {
        reader.append("1"sv, some_descriptors(1));
        reader.append("1\0"sv, some_descriptors(1));
    }
    reader.append("2\0"sv);
    CHECK(reader.next().value()->descriptors.size() == 2);
    CHECK(reader.next().value()->descriptors.empty());
}

TEST_CASE("too many descriptors for one message are refused, and closed") {
    int last = -1;
    {
        FrameReader reader;
        for (int i = 0; i < 6; ++i) {
            auto list = some_descriptors(50);
            last = list.back().value();
            reader.append("x"sv, std::move(list));
        }
        CHECK(reader.next().has_error());
        CHECK(is_open(last));
    }
    CHECK_FALSE(is_open(last));
}
