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
class HeaderDecoder {
  public:
    /// `has_body` is false for answers to HEAD and CONNECT, which end with the header whatever it
    /// says. A header has at most `max_header_bytes` and 256 fields.
    HeaderDecoder(bool has_body, std::size_t max_header_bytes);
    ~HeaderDecoder();

    /// How the body ends.
    enum class Framing { none, sized, chunked, until_close };

    /// Takes in header bytes and returns how many; what is left must come again, with more behind
    /// it. Call until is_done(). Errors: protocol.
    Result<std::size_t> put(std::span<const std::byte> input);

    bool is_done() const noexcept;

    /// The rest requires is_done().
    unsigned status() const noexcept;
    Headers& headers() noexcept;
    Framing framing() const noexcept;

    /// The length of a sized body.
    std::uint64_t length() const noexcept;

    /// Whether the peer means to keep the connection open: HTTP/1.1 without "Connection: close".
    bool keeps_connection() const noexcept;

  private:
    class Parser;
    std::unique_ptr<Parser> parser_;
};

} // namespace wharf::net
