#pragma once

#include "daemon/net/request_body.hpp"

#include <string_view>

namespace wharf::net {

/// What a request puts on the wire, a piece at a time: the header with the body's first bytes, then
/// more of the body. Has one buffer, whatever the body's size.
class RequestBytes {
  public:
    /// `body` may be null.
    RequestBytes(std::string header, std::shared_ptr<RequestBody> body);
    RequestBytes(const RequestBytes&) = delete;
    RequestBytes& operator=(const RequestBytes&) = delete;
    ~RequestBytes();

    bool is_done() const noexcept { return is_begun_ && left_ == 0; }

    /// The next piece, which is there until the next call. The first rewinds the body. Throws what
    /// the body throws (never a ConnectionLost: that would be said of our connection), and an
    /// internal Error when the body has fewer or more bytes than it announced. Requires:
    /// !is_done().
    Awaitable<std::string_view> next();

  private:
    std::shared_ptr<RequestBody> body_;
    std::uint64_t size_; ///< of the body
    std::uint64_t left_; ///< of the body
    std::size_t header_size_;
    std::string buffer_; ///< begins with the header, until it has been sent
    bool is_begun_ = false;

    Awaitable<std::size_t> read_body(std::size_t begin);
};

} // namespace wharf::net
