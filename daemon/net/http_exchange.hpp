#pragma once

#include "daemon/net/chunked_decoder.hpp"
#include "daemon/net/header_decoder.hpp"
#include "daemon/net/headers.hpp"
#include "daemon/net/request_body.hpp"
#include "daemon/net/speed_watch.hpp"
#include "daemon/net/stream.hpp"

#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <vector>

namespace wharf::net {

struct ExchangeLimits {
    std::chrono::milliseconds first_byte_timeout; ///< as in HttpOptions
    std::chrono::milliseconds stall_timeout;      ///< likewise, and so is min_speed
    std::uint64_t min_speed;
    std::size_t max_header_bytes;
};

/// A request as it goes over the wire.
struct OutgoingRequest {
    std::string header;                ///< up to and with the empty line
    std::shared_ptr<RequestBody> body; ///< null: none
    bool expects_body = true;          ///< false for HEAD and CONNECT, whose answers have none
};

/// One request and its answer on a connection. One thread.
class HttpExchange {
  public:
    HttpExchange(std::unique_ptr<Stream> stream, ExchangeLimits limits);

    /// Sends the request and receives the final header. Throws ConnectionLost, other network Errors
    /// for time, protocol Errors, and what the body throws, which is never a ConnectionLost. Once
    /// only.
    Awaitable<> run(OutgoingRequest request);

    /// Whether any byte of an answer has come: if not, the peer may not have seen the request.
    bool answer_begun() const noexcept { return answer_begun_; }

    unsigned status() const noexcept { return decoder_->status(); }
    Headers& headers() noexcept { return decoder_->headers(); }

    /// As HttpResponse::read_some.
    Awaitable<std::size_t> read_some(std::span<std::byte> buffer);

    /// Whether the connection may carry another request: the answer was read to its end (or what
    /// lacks has already come), nothing came behind it, and both sides keep the connection.
    bool is_reusable() const noexcept;

    /// Whether nothing has come behind what was read so far.
    bool has_nothing_more() const noexcept { return buffer_.unread().empty(); }

    /// Ends this exchange's use.
    std::unique_ptr<Stream> take_stream() noexcept { return std::move(stream_); }

  private:
    /// Bytes that have come and are not yet understood.
    class Buffer {
      public:
        std::span<const std::byte> unread() const noexcept;
        void consume(std::size_t count) noexcept { begin_ += count; }
        /// Room for at least `least` more bytes behind the unread ones.
        std::span<std::byte> room(std::size_t least);
        void filled(std::size_t count) noexcept { end_ += count; }
        /// Gives the memory back. Requires: nothing is unread.
        void release() noexcept { *this = {}; }

      private:
        std::vector<std::byte> bytes_;
        std::size_t begin_ = 0;
        std::size_t end_ = 0;
    };

    std::unique_ptr<Stream> stream_;
    ExchangeLimits limits_;
    SpeedWatch watch_; ///< over the request's body, then over the answer's
    std::unique_ptr<HeaderDecoder> decoder_;
    ChunkedDecoder chunks_;
    Buffer buffer_;
    HeaderDecoder::Framing framing_ = HeaderDecoder::Framing::none;
    std::uint64_t length_ = 0;    ///< of a sized body
    std::uint64_t remaining_ = 0; ///< of a sized body, not yet handed out
    unsigned interim_answers_ = 0;
    bool has_sent_body_ = false;
    bool expects_body_ = true;
    bool answer_begun_ = false;
    bool broken_ = true;        ///< something is under way or has failed: never to be used again
    std::exception_ptr unsent_; ///< why the request could not be sent whole; null: nothing

    Awaitable<bool> send(OutgoingRequest request);
    Awaitable<> receive_final_header();
    Awaitable<bool> wait_until_sent();
    bool has_news() noexcept { return !has_nothing_more() || !stream_->is_quiet(); }
    Awaitable<bool> receive_header(Deadline deadline);
    bool decode_header(std::size_t& taken);
    Awaitable<std::size_t> fill(std::size_t least, Deadline deadline);
    Awaitable<std::size_t> read_plain(std::span<std::byte> buffer);
    Awaitable<std::size_t> read_chunked(std::span<std::byte> buffer);
    Awaitable<std::size_t> read_watched(std::span<std::byte> buffer);
    Awaitable<bool> write_all(std::string_view data);
    Deadline answer_deadline() const;
};

} // namespace wharf::net
