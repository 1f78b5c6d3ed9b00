#pragma once

#include "base/error.hpp"
#include "daemon/net/headers.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace wharf::net {

/// What the bytes of one HTTP/1.1 answer mean. No I/O: it is fed what has come, and says how much
/// of it is understood. Trailers are read and dropped.
class ResponseDecoder {
  public:
    /// `has_body` is false for answers to HEAD and CONNECT, which end with the header whatever it
    /// says. A header has at most `max_header_bytes` and 256 fields.
    ResponseDecoder(bool has_body, std::size_t max_header_bytes);
    ~ResponseDecoder();

    /// How the body ends.
    enum class Framing { none, sized, chunked, until_close };

    /// Takes in header bytes and returns how many; what is left must come again, with more behind
    /// it. Call until is_header_done(). Errors: protocol.
    Result<std::size_t> put_header(std::span<const std::byte> input);

    bool is_header_done() const noexcept;

    /// The rest requires is_header_done().
    unsigned status() const noexcept;
    Headers& headers() noexcept;
    Framing framing() const noexcept;

    /// The length of a sized body.
    std::uint64_t length() const noexcept;

    /// Whether the peer means to keep the connection open: HTTP/1.1 without "Connection: close".
    bool keeps_connection() const noexcept;

    struct Chunk {
        std::size_t consumed = 0; ///< of the input; the rest must come again
        std::size_t produced = 0; ///< in the output
    };

    /// Decodes a chunked body until the input holds nothing whole any more or the output is full.
    /// Errors: protocol. Requires: Framing::chunked, not is_done().
    Result<Chunk> put_chunked(std::span<const std::byte> input, std::span<std::byte> output);

    /// Whether the whole of a chunked body has been decoded.
    bool is_done() const noexcept;

  private:
    class Parser;
    std::unique_ptr<Parser> parser_;
};

} // namespace wharf::net
