#include "daemon/net/chunked_decoder.hpp"

#include <doctest/doctest.h>

#include <optional>
#include <random>
#include <string>

using wharf::net::ChunkedDecoder;

namespace {

struct Decoded {
    std::string body;
    std::string rest; ///< input behind the body
    bool done = false;
    bool failed = false;
};

/// Feeds the input `step` bytes at a time into outputs of `room` bytes.
Decoded decode(std::string_view input, std::size_t step, std::size_t room) {
    ChunkedDecoder decoder{100};
    Decoded result;
    std::string buffer(room, '\0');
    while (!input.empty() && !decoder.is_done()) {
        const auto piece = input.substr(0, step);
        const auto output = std::as_writable_bytes(std::span{buffer});
        const auto done = decoder.put(std::as_bytes(std::span{piece}), output);
        if (!done) {
            CHECK(done.error().kind() == wharf::ErrorKind::protocol);
            result.failed = true;
            return result;
        }
        REQUIRE((done->consumed > 0 || done->produced > 0));
        result.body.append(buffer, 0, done->produced);
        input.remove_prefix(done->consumed);
    }
    result.rest = input;
    result.done = decoder.is_done();
    return result;
}

} // namespace

TEST_CASE("chunked bodies are decoded wherever reads and buffers end") {
    struct Row {
        const char* input;
        const char* body;
        const char* rest;
    };
    const Row rows[] = {
        {"0\r\n\r\n", "", ""},
        {"000\r\n\r\nHTTP", "", "HTTP"},
        {"5\r\nhello\r\n0\r\n\r\n", "hello", ""},
        {"A\r\n0123456789\r\n0b\r\n.", "0123456789.", nullptr}, // not the end yet
        {"5;name=value\r\nhello\r\n0;x\r\n\r\n", "hello", ""},
        {"5 \t; q=\"a\"\r\nhello\r\n0 \r\n\r\n", "hello", ""},
        {"1\r\n\r\r\n1\r\n\n\r\n0\r\n\r\nX", "\r\n", "X"},
        {"5\r\nhello\r\n0\r\nA: b\r\nC: d\r\n\r\nX", "hello", "X"},
    };
    for (const auto& row : rows) {
        for (const std::size_t step : {1U, 2U, 3U, 1000U}) {
            for (const std::size_t room : {1U, 3U, 1000U}) {
                CAPTURE(row.input);
                const auto result = decode(row.input, step, room);
                CHECK_FALSE(result.failed);
                if (row.rest != nullptr) {
                    CHECK(result.done);
                    CHECK(result.body == row.body);
                    CHECK(result.rest == row.rest);
                } else {
                    CHECK_FALSE(result.done);
                    CHECK(result.body.starts_with(row.body));
                }
            }
        }
    }
}

TEST_CASE("what could be understood in two ways is refused") {
    const std::string rows[] = {
        "\r\n",
        ";x\r\n",
        " 5\r\nhello\r\n",
        "0x5\r\nhello\r\n",
        "-5\r\nhello\r\n",
        "+5\r\nhello\r\n",
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5\r\r\nhello\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "5\r\nhello\r0\r\n\r\n",
        "5;a\nb\r\nhello\r\n",
        "8000000000000000\r\n",
        "ffffffffffffffff\r\n",
        "10000000000000000\r\n",
        "0\r\nA: b\nC: d\r\n\r\n",
        "0\r\n\rX",
        std::string{"5;\0\r\n", 5},
        "5;" + std::string(100, 'x'),
        "0\r\n" + std::string(100, 'x'),
        "0\r\nA: b\r\n" + std::string(50, 'x') + "\r\n" + std::string(50, 'y'),
    };
    for (const auto& input : rows) {
        for (const std::size_t step : {1U, 1000U}) {
            CAPTURE(input);
            CHECK(decode(input, step, 1000).failed);
        }
    }
    CHECK_FALSE(decode("7fffffffffffffff\r\nx", 1, 10).failed);
}

TEST_CASE("the limit is for each chunk's header, not for all of them") {
    std::string input;
    for (int i = 0; i < 100; ++i) {
        input += "1;" + std::string(90, 'x') + "\r\nb\r\n";
    }
    const auto result = decode(input + "0\r\n\r\n", 7, 10);
    CHECK(result.done);
    CHECK(result.body == std::string(100, 'b'));
}

TEST_CASE("random input neither hangs nor disagrees with itself") {
    std::mt19937 random{1};
    constexpr std::string_view alphabet = "0015aF;\r\n\r\nx: ";
    for (int round = 0; round < 3000; ++round) {
        std::string input = round % 2 == 0 ? "3\r\nabc\r\n" : "";
        const auto size = random() % 40;
        for (std::size_t i = 0; i < size; ++i) {
            input += alphabet[random() % alphabet.size()];
        }
        const auto whole = decode(input, 1000, 1000);
        const auto bytewise = decode(input, 1, 1);
        REQUIRE(whole.failed == bytewise.failed);
        if (!whole.failed) {
            REQUIRE(whole.body == bytewise.body);
            REQUIRE(whole.done == bytewise.done);
        }
    }
}
