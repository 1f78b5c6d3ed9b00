// An HTTP answer, cut anywhere, through the code that reads all of them. Promises: it means the
// same however its bytes arrive; a body is never longer than what came; memory is bounded by the
// limits, not by what an answer announces; a connection is used again only at an answer's proper
// end.

#include "daemon/net/http_exchange.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <array>
#include <exception>

namespace wharf::fuzz {

namespace {

using namespace std::chrono_literals;

/// A peer whose bytes come as they are cut.
class CutStream final : public net::Stream {
  public:
    CutStream(std::string_view input, Cuts cuts) : input_{input}, cuts_{std::move(cuts)} {}

    Awaitable<std::size_t> read_some(std::span<std::byte> buffer, net::Deadline) override {
        require(!buffer.empty(), "nobody reads into nothing");
        const auto part = input_.substr(0, std::min(buffer.size(), cuts_.next()));
        std::ranges::copy(std::as_bytes(std::span{part}), buffer.begin());
        input_.remove_prefix(part.size());
        co_return part.size();
    }
    Awaitable<std::size_t> write_some(std::string_view data, net::Deadline) override {
        co_return data.size();
    }
    bool is_quiet() noexcept override { return input_.empty(); }
    std::size_t unacknowledged() const noexcept override { return 0; }
    Awaitable<> wait_for_peer(std::chrono::milliseconds) override { co_return; }
    const std::string& peer() const noexcept override { return peer_; }

  private:
    std::string_view input_;
    Cuts cuts_;
    std::string peer_ = "peer:1";
};

struct Answer {
    bool whole = false; ///< read to its end without an error
    unsigned status = 0;
    net::Headers headers;
    std::string body;
    bool reusable = false;
};

Awaitable<> receive(std::string_view input, Cuts cuts, bool expects_body, Answer& answer) {
    // Time plays no part, and the header's limit is one that the fuzzer reaches.
    constexpr net::ExchangeLimits limits{1h, 1h, 0, 1024};
    auto stream = std::make_unique<CutStream>(input, cuts);
    CutStream& peer = *stream;
    net::HttpExchange exchange{std::move(stream), limits};
    net::OutgoingRequest request{
        .header = "GET / HTTP/1.1\r\n\r\n", .body = nullptr, .expects_body = expects_body};
    try {
        co_await exchange.run(std::move(request));
        answer.status = exchange.status();
        answer.headers = exchange.headers();
        std::array<std::byte, 256> buffer{};
        std::size_t count = 1;
        while (count > 0) {
            const std::span room{buffer.data(), std::min(buffer.size(), cuts.next())};
            count = co_await exchange.read_some(room);
            answer.body.append(reinterpret_cast<const char*>(buffer.data()), count);
        }
        answer.whole = true;
    } catch (const Error& error) {
        require(error.kind() == ErrorKind::protocol || error.kind() == ErrorKind::network,
                "what a peer does wrong is its fault");
    }
    answer.reusable = exchange.is_reusable() && peer.is_quiet();
}

Answer answer_of(std::string_view input, const Cuts& cuts, bool expects_body) {
    Answer answer;
    asio::io_context context;
    std::exception_ptr failure;
    bool ended = false;
    asio::co_spawn(context, receive(input, cuts, expects_body, answer),
                   [&](const std::exception_ptr& error) {
                       failure = error;
                       ended = true;
                   });
    context.run();
    require(ended, "reading an answer ends");
    if (failure) {
        std::rethrow_exception(failure);
    }
    return answer;
}

void check(std::string_view input, const Cuts& cuts, bool expects_body) {
    std::string_view nothing;
    const Answer cut = answer_of(input, cuts, expects_body);
    const Answer whole = answer_of(input, Cuts::take(nothing), expects_body);
    require(cut.whole == whole.whole, "cuts do not change whether an answer is proper");
    if (!cut.whole) {
        require(!cut.reusable && !whole.reusable, "after an error a connection is not used again");
        return;
    }
    require(cut.status == whole.status && cut.headers.fields() == whole.headers.fields() &&
                cut.body == whole.body && cut.reusable == whole.reusable,
            "cuts do not change what an answer means");
    require(cut.status >= 200, "interim answers are passed over");
    require(cut.body.size() <= input.size(), "a body is never longer than what came");
    require(expects_body || cut.body.empty(), "what has no body has none");
    for (const auto& [name, value] : cut.headers.fields()) {
        require((name + value).find_first_of("\r\n") == std::string::npos, "a field is one line");
    }
}

} // namespace

void run(std::string_view input) {
    const Cuts cuts = Cuts::take(input);
    const MemoryLimit limit{(512 << 10) + 16 * input.size()};
    check(input, cuts, true);
    check(input, cuts, false);
}

} // namespace wharf::fuzz
