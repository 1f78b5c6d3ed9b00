// Sized bodies and those that end with the connection go from the stream straight into the caller's
// buffer, after what came along with the header. Chunked ones pass through a buffer that is large
// enough for several records of TLS: small reads are what makes HTTP clients slow.

#include "daemon/net/http_exchange.hpp"

#include "daemon/net/request_bytes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace wharf::net {

namespace {

using Clock = std::chrono::steady_clock;
using Framing = HeaderDecoder::Framing;

constexpr std::size_t header_read_bytes = 16 << 10;
constexpr std::size_t chunked_read_bytes = 64 << 10;
/// Peers may send 1xx answers to keep a waiting client alive; not for ever.
constexpr unsigned most_interim_answers = 100;
/// How often the kernel is asked what it still holds of a body, while no answer comes.
constexpr std::chrono::milliseconds queue_look_interval{100};

} // namespace

std::span<const std::byte> HttpExchange::Buffer::unread() const noexcept {
    return std::span{bytes_}.subspan(begin_, end_ - begin_);
}

std::span<std::byte> HttpExchange::Buffer::room(std::size_t least) {
    if (begin_ > 0) {
        std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
        end_ -= std::exchange(begin_, 0);
    }
    if (bytes_.size() - end_ < least) {
        bytes_.resize(end_ + least);
    }
    return std::span{bytes_}.subspan(end_);
}

HttpExchange::HttpExchange(std::unique_ptr<Stream> stream, ExchangeLimits limits)
    : stream_{std::move(stream)}, limits_{limits}, watch_{limits.min_speed, limits.stall_timeout},
      chunks_{limits.max_header_bytes} {}

Awaitable<> HttpExchange::run(OutgoingRequest request) {
    assert(!decoder_);
    expects_body_ = request.expects_body;
    const bool answered = co_await send(std::move(request));
    if (answered) { // before all was sent: the connection stays broken
        co_return;
    }
    if (!unsent_) {
        co_await receive_final_header();
        broken_ = false;
        co_return;
    }
    // Peers that refuse a body answer and close without reading it: the answer says more than the
    // broken connection does.
    try {
        co_await receive_final_header();
    } catch (const Error&) {
        std::rethrow_exception(unsent_);
    }
}

/// Returns whether the final answer came before all was sent. Looking for it between the pieces
/// keeps a refusal (of a signed URL that has expired, say) from being lost in the reset with which
/// peers end a connection whose bytes they do not want.
Awaitable<bool> HttpExchange::send(OutgoingRequest request) {
    has_sent_body_ = request.body != nullptr;
    RequestBytes bytes{std::move(request.header), std::move(request.body)};
    std::string_view piece = co_await bytes.next();
    bool is_taken = co_await write_all(piece);
    while (is_taken && !bytes.is_done()) {
        piece = co_await bytes.next();
        while (has_news()) {
            const bool is_final = co_await receive_header(answer_deadline());
            if (is_final) {
                co_return true;
            }
        }
        is_taken = co_await write_all(piece);
    }
    co_return false;
}

/// Returns false when the peer takes no more but may have said why.
Awaitable<bool> HttpExchange::write_all(std::string_view data) {
    try {
        while (!data.empty()) {
            const auto deadline = watch_.begin(Clock::now(), "sending to");
            const std::size_t count = co_await stream_->write_some(data, deadline);
            watch_.moved(count);
            data.remove_prefix(count);
        }
    } catch (const ConnectionLost&) {
        unsent_ = std::current_exception();
    } catch (const Error&) { // the peer does not read on
        if (stream_->is_quiet()) {
            throw;
        }
        unsent_ = std::current_exception();
    }
    co_return !unsent_;
}

Awaitable<> HttpExchange::receive_final_header() {
    auto deadline = answer_deadline();
    bool is_final = false;
    while (!is_final) {
        const bool has_waited = co_await wait_until_sent();
        if (has_waited) {
            deadline = answer_deadline();
        }
        is_final = co_await receive_header(deadline);
    }
}

/// What the kernel holds of a body has not been sent: a slow link may need longer for it than a
/// server may for its answer, as long as it moves. Ends early when there is something to read.
/// Returns whether there was anything to wait for.
Awaitable<bool> HttpExchange::wait_until_sent() {
    std::size_t left = has_sent_body_ ? stream_->unacknowledged() : 0;
    const bool waits = left > 0;
    while (left > 0 && !has_news()) {
        const auto now = Clock::now();
        const auto deadline = watch_.begin(now, "sending to");
        if (now >= deadline.at) {
            throw deadline.error(stream_->peer());
        }
        const auto rest = std::chrono::ceil<std::chrono::milliseconds>(deadline.at - now);
        co_await stream_->wait_for_peer(std::min(rest, queue_look_interval));
        const std::size_t still = stream_->unacknowledged();
        watch_.moved(left - std::min(still, left));
        left = still;
    }
    co_return waits;
}

/// Receives one header. Returns false for interim answers.
Awaitable<bool> HttpExchange::receive_header(Deadline deadline) {
    decoder_ = std::make_unique<HeaderDecoder>(expects_body_, limits_.max_header_bytes);
    std::size_t taken = 0;
    while (!decode_header(taken)) {
        const std::size_t count = co_await fill(header_read_bytes, deadline);
        if (count == 0) {
            throw ConnectionLost{
                fmt::format("{} closed the connection {}", stream_->peer(),
                            answer_begun_ ? "amid the header of its answer" : "without an answer")};
        }
        answer_begun_ = true;
    }
    if (status() == 101 || status() < 100) {
        throw Error{ErrorKind::protocol,
                    fmt::format("{} answered with the status {}", stream_->peer(), status())};
    }
    if (status() < 200) {
        if (++interim_answers_ > most_interim_answers) {
            throw Error{ErrorKind::protocol,
                        fmt::format("{} sends interim answers without end", stream_->peer())};
        }
        co_return false;
    }
    watch_ = SpeedWatch{limits_.min_speed, limits_.stall_timeout};
    framing_ = decoder_->framing();
    length_ = remaining_ = framing_ == Framing::sized ? decoder_->length() : 0;
    co_return true;
}

/// Decodes what has come; `taken` counts the header's bytes so far. Returns whether it is whole.
bool HttpExchange::decode_header(std::size_t& taken) {
    if (buffer_.unread().empty()) {
        return false;
    }
    const auto used = decoder_->put(buffer_.unread());
    if (!used) {
        throw used.error().with_context(stream_->peer());
    }
    buffer_.consume(*used);
    taken += *used;
    const std::size_t behind = decoder_->is_done() ? 0 : buffer_.unread().size();
    if (taken + behind > limits_.max_header_bytes) {
        throw Error{ErrorKind::protocol,
                    fmt::format("{}: the answer's header is too large (over {} bytes)",
                                stream_->peer(), limits_.max_header_bytes)};
    }
    return decoder_->is_done();
}

Awaitable<std::size_t> HttpExchange::fill(std::size_t least, Deadline deadline) {
    const std::size_t count = co_await stream_->read_some(buffer_.room(least), deadline);
    buffer_.filled(count);
    co_return count;
}

Awaitable<std::size_t> HttpExchange::read_some(std::span<std::byte> buffer) {
    assert(!buffer.empty());
    if (framing_ == Framing::none || (framing_ == Framing::sized && remaining_ == 0)) {
        co_return 0;
    }
    if (framing_ == Framing::chunked && chunks_.is_done()) {
        co_return 0;
    }
    const bool was_broken = std::exchange(broken_, true); // until the read has come back whole
    std::size_t count = 0;
    if (framing_ == Framing::chunked) {
        count = co_await read_chunked(buffer);
    } else {
        count = co_await read_plain(buffer);
    }
    broken_ = was_broken;
    co_return count;
}

/// Reads bytes of the body as they come, while they come fast enough.
Awaitable<std::size_t> HttpExchange::read_watched(std::span<std::byte> buffer) {
    const auto deadline = watch_.begin(Clock::now(), "reading from");
    const std::size_t count = co_await stream_->read_some(buffer, deadline);
    watch_.moved(count);
    co_return count;
}

Awaitable<std::size_t> HttpExchange::read_plain(std::span<std::byte> buffer) {
    const bool sized = framing_ == Framing::sized;
    if (sized) {
        buffer = buffer.first(
            static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), remaining_)));
    }
    const auto early = buffer_.unread();
    std::size_t count = std::min(early.size(), buffer.size());
    if (count > 0) {
        std::memcpy(buffer.data(), early.data(), count);
        buffer_.consume(count);
    } else {
        buffer_.release(); // the rest goes straight to the caller
        count = co_await read_watched(buffer);
    }
    if (count > 0) {
        remaining_ -= sized ? count : 0;
    } else if (sized) {
        throw ConnectionLost{fmt::format("{} closed the connection after {} of {} bytes",
                                         stream_->peer(), length_ - remaining_, length_)};
    } else {
        framing_ = Framing::none;
    }
    co_return count;
}

Awaitable<std::size_t> HttpExchange::read_chunked(std::span<std::byte> buffer) {
    for (;;) {
        if (!buffer_.unread().empty()) {
            const auto chunk = chunks_.put(buffer_.unread(), buffer);
            if (!chunk) {
                throw chunk.error().with_context(stream_->peer());
            }
            buffer_.consume(chunk->consumed);
            if (chunk->produced > 0 || chunks_.is_done()) {
                co_return chunk->produced;
            }
        }
        const std::size_t count = co_await read_watched(buffer_.room(chunked_read_bytes));
        buffer_.filled(count);
        if (count == 0) {
            throw ConnectionLost{
                fmt::format("{} closed the connection amid a chunked body", stream_->peer())};
        }
    }
}

bool HttpExchange::is_reusable() const noexcept {
    if (broken_ || !decoder_->keeps_connection()) {
        return false;
    }
    if (framing_ == Framing::chunked && !chunks_.is_done()) {
        return false;
    }
    return buffer_.unread().size() == remaining_;
}

Deadline HttpExchange::answer_deadline() const {
    return Deadline::after(limits_.first_byte_timeout, "waiting for an answer from");
}

} // namespace wharf::net
