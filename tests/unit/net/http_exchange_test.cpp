#include "daemon/net/http_exchange.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/unit/net/canned_stream.hpp"

#include <optional>
#include <random>

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::net::ConnectionLost;
using wharf::net::ExchangeLimits;
using wharf::net::HttpExchange;
using wharf::net::OutgoingRequest;
using wharf::test::CannedStream;

namespace {

constexpr ExchangeLimits limits{1s, 1s, 1024, 4096};

struct Outcome {
    unsigned status = 0;
    std::string body;
    std::string field; ///< X, if the answer had it
    bool reusable = false;
    bool answer_begun = false;
    bool lost = false; ///< failed with ConnectionLost
    std::optional<Error> error;
};

struct Input {
    std::string text;
    std::size_t step = SIZE_MAX;
    CannedStream::End end = CannedStream::End::proper;
    bool expects_body = true;
    std::size_t read_size = 7;
    std::size_t read_at_most = SIZE_MAX;
};

Awaitable<> read_body(HttpExchange& exchange, const Input& input, std::string& body) {
    std::string buffer(input.read_size, '\0');
    while (body.size() < input.read_at_most) {
        const auto count = co_await exchange.read_some(std::as_writable_bytes(std::span{buffer}));
        if (count == 0) {
            co_return;
        }
        body.append(buffer, 0, count);
    }
}

Awaitable<> exchange_once(Input input, Outcome& outcome) {
    HttpExchange exchange{std::make_unique<CannedStream>(input.text, input.step, input.end),
                          limits};
    try {
        OutgoingRequest request;
        request.header = "GET / HTTP/1.1\r\n\r\n";
        request.expects_body = input.expects_body;
        co_await exchange.run(std::move(request));
        outcome.status = exchange.status();
        outcome.field = exchange.headers().find("x").value_or("");
        co_await read_body(exchange, input, outcome.body);
    } catch (const ConnectionLost& lost) {
        outcome.lost = true;
        outcome.error = lost;
    } catch (const Error& error) {
        outcome.error = error;
    }
    outcome.answer_begun = exchange.answer_begun();
    outcome.reusable = !outcome.error && exchange.is_reusable();
}

Outcome exchange_of(Input input) {
    Outcome outcome;
    wharf::test::run(exchange_once(std::move(input), outcome));
    return outcome;
}

Outcome exchange_of(std::string_view text, std::size_t step = SIZE_MAX) {
    Input input;
    input.text = text;
    input.step = step;
    return exchange_of(input);
}

} // namespace

TEST_CASE("answers mean the same however their bytes arrive and however they are read") {
    struct Row {
        std::string name;
        std::string text;
        unsigned status;
        std::string body;
        bool reusable;
    };
    const Row rows[] = {
        {"sized", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX: v\r\n\r\nhello world", 200,
         "hello world", true},
        {"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: v\r\n\r\n", 200, "", true},
        {"no reason phrase", "HTTP/1.1 404 \r\nContent-Length: 2\r\nX: v\r\n\r\nno", 404, "no",
         true},
        {"chunked",
         "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: v\r\n\r\n"
         "5\r\nhello\r\n1;ext=\"q\"\r\n \r\n005\r\nworld\r\n0\r\n\r\n",
         200, "hello world", true},
        {"chunked with trailers",
         "HTTP/1.1 200 OK\r\nX: v\r\nTransfer-Encoding: Chunked\r\n\r\n"
         "b\r\nhello world\r\n0\r\nX: trailer\r\nY: z\r\n\r\n",
         200, "hello world", true},
        {"chunked, empty", "HTTP/1.1 200 OK\r\nX: v\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         200, "", true},
        {"until close", "HTTP/1.1 200 OK\r\nX: v\r\n\r\nhello world", 200, "hello world", false},
        {"connection: close",
         "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\nX: v\r\n\r\nhi", 200, "hi",
         false},
        {"HTTP/1.0",
         "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\nX: v\r\n\r\nhi", 200,
         "hi", false},
        {"interim answers first",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: early\r\n\r\n"
         "HTTP/1.1 200 OK\r\nX: v\r\nContent-Length: 2\r\n\r\nhi",
         200, "hi", true},
        {"204", "HTTP/1.1 204 No Content\r\nX: v\r\n\r\n", 204, "", true},
        {"304 with a length", "HTTP/1.1 304 Not Modified\r\nX: v\r\nContent-Length: 9\r\n\r\n", 304,
         "", true},
        {"redirect", "HTTP/1.1 302 Found\r\nX: v\r\nLocation: /y\r\nContent-Length: 3\r\n\r\nsee",
         302, "see", true},
        {"same length twice",
         "HTTP/1.1 200 OK\r\nX: v\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 200, "hi",
         true},
        {"more than its length", "HTTP/1.1 200 OK\r\nX: v\r\nContent-Length: 2\r\n\r\nhi!", 200,
         "hi", false},
        {"another answer behind",
         "HTTP/1.1 200 OK\r\nX: v\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1", 200, "",
         false},
    };
    for (const auto& row : rows) {
        CAPTURE(row.name);
        for (const std::size_t step : {1U, 2U, 3U, 7U, 64U, 100'000U}) {
            for (const std::size_t read_size : {1U, 2U, 5U, 11U, 12U, 4096U}) {
                CAPTURE(step);
                CAPTURE(read_size);
                Input input;
                input.text = row.text;
                input.step = step;
                input.read_size = read_size;
                const auto outcome = exchange_of(input);
                CAPTURE(outcome.error.value_or(Error{}).message());
                REQUIRE_FALSE(outcome.error.has_value());
                CHECK(outcome.status == row.status);
                CHECK(outcome.body == row.body);
                CHECK(outcome.field == "v");
                // Bytes behind the answer that still are on their way are found by is_quiet().
                if (row.reusable || step > row.text.size()) {
                    CHECK(outcome.reusable == row.reusable);
                }
            }
        }
    }
}

TEST_CASE("answers to HEAD and CONNECT end with their header") {
    Input input;
    input.text = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
    input.expects_body = false;
    auto outcome = exchange_of(input);
    CHECK(outcome.status == 200);
    CHECK(outcome.body.empty());
    CHECK(outcome.reusable);
    input.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    outcome = exchange_of(input);
    CHECK(outcome.body.empty());
    CHECK(outcome.reusable);
}

TEST_CASE("what is no proper answer is a protocol error and names the peer") {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const std::string rows[] = {
        "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.2 200 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        ok + "Content-Length: 5, 6\r\n\r\nhello",
        ok + "Content-Length: -5\r\n\r\nhello",
        ok + "Content-Length: +5\r\n\r\nhello",
        ok + "Content-Length: 0x5\r\n\r\nhello",
        ok + "Content-Length: 5 5\r\n\r\nhello",
        ok + "Content-Length: \r\n\r\nhello",
        ok + "Content-Length: 9223372036854775808\r\n\r\nhello",
        ok + "Content-Length: 99999999999999999999999999\r\n\r\nhello",
        ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        ok + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        ok + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
        ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ok + "X : v\r\n\r\n",
        ok + "no colon\r\n\r\n",
        ok + "X: a\001b\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXYZ\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\nhello",
        ok + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n",
    };
    for (const auto& text : rows) {
        for (const std::size_t step : {std::size_t{1}, SIZE_MAX}) {
            CAPTURE(text);
            CAPTURE(step);
            const auto outcome = exchange_of(text, step);
            REQUIRE(outcome.error.has_value());
            CHECK(outcome.error->kind() == ErrorKind::protocol);
            CHECK(outcome.error->message().starts_with("canned:1"));
            CHECK_FALSE(outcome.lost);
        }
    }
}

TEST_CASE("headers are bounded in bytes and in number") {
    const auto with_value = [](std::size_t size) {
        return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: " + std::string(size, 'v') + "\r\n\r\n";
    };
    for (const std::size_t step : {std::size_t{1}, std::size_t{100}, SIZE_MAX}) {
        CAPTURE(step);
        CHECK_FALSE(exchange_of(with_value(4000), step).error.has_value());
        for (const std::size_t size : {4096U, 5000U, 50'000U}) {
            const auto outcome = exchange_of(with_value(size), step);
            REQUIRE(outcome.error.has_value());
            CHECK(outcome.error->kind() == ErrorKind::protocol);
            CHECK(outcome.error->message().find("header is too large") != std::string::npos);
        }
        // Never ending, without a line's end: refused as soon as the limit is reached.
        CHECK(exchange_of("HTTP/1.1 200 " + std::string(10'000, 'O'), step).error->kind() ==
              ErrorKind::protocol);
    }
    const std::string both = "HTTP/1.1 200 " + std::string(3000, 'O') +
                             "\r\nContent-Length: 0\r\nX: " + std::string(3000, 'v') + "\r\n\r\n";
    CHECK(exchange_of(both).error.has_value()); // start line and fields share the limit
    std::string many = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n";
    for (int i = 0; i < 255; ++i) {
        many += "a:b\r\n";
    }
    CHECK_FALSE(exchange_of(many + "\r\n").error.has_value());
    CHECK(exchange_of(many + "a:b\r\n\r\n").error->kind() == ErrorKind::protocol);
}

TEST_CASE("chunk headers and trailers are bounded") {
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(exchange_of(head + "5;" + std::string(300'000, 'x')).error->kind() ==
          ErrorKind::protocol);
    CHECK(exchange_of(head + "0\r\nX: " + std::string(300'000, 'x')).error->kind() ==
          ErrorKind::protocol);
}

TEST_CASE("interim answers do not go on for ever") {
    std::string text;
    for (int i = 0; i < 101; ++i) {
        text += "HTTP/1.1 100 Continue\r\n\r\n";
    }
    const std::string final_answer = "HTTP/1.1 204 No Content\r\n\r\n";
    CHECK(exchange_of(text + final_answer).error->kind() == ErrorKind::protocol);
    CHECK(exchange_of(text.substr(25) + final_answer).status == 204);
}

TEST_CASE("an answer that ends too early is a lost connection") {
    const std::string rows[] = {
        "",
        "HTTP/1.1 20",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    };
    for (const auto& text : rows) {
        for (const auto end : {CannedStream::End::proper, CannedStream::End::lost}) {
            CAPTURE(text);
            Input input;
            input.text = text;
            input.end = end;
            const auto outcome = exchange_of(input);
            REQUIRE(outcome.error.has_value());
            CHECK(outcome.lost);
            CHECK(outcome.error->kind() == ErrorKind::network);
            CHECK(outcome.error->message().find("canned:1") != std::string::npos);
            CHECK(outcome.answer_begun == !text.empty());
        }
    }
    CHECK(exchange_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell").error->message() ==
          "canned:1 closed the connection after 4 of 5 bytes");
    Input cut;
    cut.text = "HTTP/1.1 200 OK\r\n\r\nhello"; // its end is the connection's, which was not proper
    cut.end = CannedStream::End::lost;
    CHECK(exchange_of(cut).lost);
}

TEST_CASE("a body that was not read makes the connection useless, unless it has come already") {
    Input input;
    input.text = "HTTP/1.1 302 Found\r\nContent-Length: 10\r\n\r\n0123456789";
    input.read_at_most = 0;
    CHECK(exchange_of(input).reusable);
    input.read_size = 4;
    input.read_at_most = 4;
    CHECK(exchange_of(input).reusable);
    input.step = 45; // the last bytes are still on their way
    CHECK_FALSE(exchange_of(input).reusable);
    input.text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    input.step = SIZE_MAX;
    CHECK_FALSE(exchange_of(input).reusable);
}

TEST_CASE("a request's body follows its header in order") {
    auto stream = std::make_unique<CannedStream>("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    const auto sent = stream->sent;
    std::string body(200'000, 'b');
    body.back() = 'e';
    const auto test = [&]() -> Awaitable<> {
        HttpExchange exchange{std::move(stream), limits};
        OutgoingRequest request;
        request.header = "PUT / HTTP/1.1\r\n\r\n";
        request.body = wharf::net::make_body(body);
        co_await exchange.run(std::move(request));
        CHECK(exchange.is_reusable());
    };
    wharf::test::run(test());
    CHECK(*sent == "PUT / HTTP/1.1\r\n\r\n" + body);
}

TEST_CASE("an answer that comes before the body is sent is heard, the connection then given up") {
    for (const std::string text : {"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig", ""}) {
        auto stream = std::make_unique<CannedStream>(text);
        stream->write_limit = 50'000; // already the first piece
        const auto test = [&]() -> Awaitable<> {
            HttpExchange exchange{std::move(stream), limits};
            OutgoingRequest request;
            request.body = wharf::net::make_body(std::string(200'000, 'b'));
            std::string message;
            try {
                co_await exchange.run(std::move(request));
            } catch (const ConnectionLost& lost) {
                message = lost.message();
            }
            CHECK(message == (text.empty() ? "sending to canned:1: broken pipe" : ""));
            if (!text.empty()) {
                CHECK(exchange.status() == 413);
                std::string body(3, '\0');
                const auto count =
                    co_await exchange.read_some(std::as_writable_bytes(std::span{body}));
                CHECK(count == 3);
                CHECK_FALSE(exchange.is_reusable());
            }
        };
        wharf::test::run(test());
    }
}

TEST_CASE("a refusal between two pieces stops the sending, an interim answer does not") {
    for (const bool refused : {false, true}) {
        const std::string interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        const std::string refusal = "HTTP/1.1 403 Expired\r\nContent-Length: 3\r\n\r\nold";
        auto stream = std::make_unique<CannedStream>(refused ? interim + refusal : interim);
        stream->quiet = false;
        stream->quiet_at_end = refused; // the answers come at once: the last two from the buffer
        const auto sent = stream->sent;
        const auto test = [&]() -> Awaitable<> {
            HttpExchange exchange{std::move(stream), limits};
            OutgoingRequest request;
            request.body = wharf::net::make_body(std::string(1'000'000, 'b'));
            bool lost = false;
            try {
                co_await exchange.run(std::move(request));
            } catch (const ConnectionLost&) {
                lost = true;
            }
            CHECK(lost != refused);
            CHECK(sent->size() < 500'000);
            if (refused) {
                CHECK(exchange.status() == 403);
                CHECK_FALSE(exchange.is_reusable());
            }
        };
        wharf::test::run(test());
    }
}

TEST_CASE("spoilt answers end in an answer or an error, the same however they arrive") {
    const std::string seeds[] = {
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: v\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: v\r\n "
        "w\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    };
    constexpr auto noise = "\r\n\r\n :;,0159aF\0\x7f\xff\tHTTP/1."sv;
    std::mt19937 random{1};
    for (int round = 0; round < 1500; ++round) {
        Input input;
        input.text = seeds[random() % 2];
        for (auto edits = random() % 4 + 1; edits > 0; --edits) {
            const auto at = random() % input.text.size();
            const auto length = random() % 3;
            input.text.replace(at, length, noise.substr(random() % noise.size(), random() % 4));
        }
        CAPTURE(input.text);
        const auto whole = exchange_of(input);
        input.step = random() % 3 + 1;
        const auto pieces = exchange_of(input);
        CHECK(whole.error.has_value() == pieces.error.has_value());
        if (!whole.error && !pieces.error) {
            CHECK(whole.status == pieces.status);
            CHECK(whole.body == pieces.body);
        }
    }
}
