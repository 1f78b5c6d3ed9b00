#include "daemon/net/request_bytes.hpp"

#include "base/secret.hpp"
#include "daemon/net/stream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace wharf::net {

namespace {

/// Sent at once; between two of these a sender looks whether the answer has come already. Larger
/// ones gain hardly anything (docs/measurements.md).
constexpr std::size_t piece_bytes = 256 << 10;

/// How much the body is asked for. The last time it is one byte more than is left: who fills that
/// has more than was announced.
std::size_t read_size(std::uint64_t left) noexcept {
    return static_cast<std::size_t>(left > piece_bytes ? piece_bytes : left + 1);
}

} // namespace

RequestBytes::RequestBytes(std::string header, std::shared_ptr<RequestBody> body)
    : body_{std::move(body)}, size_{body_ ? body_->size() : 0}, left_{size_},
      header_size_{header.size()},
      buffer_(header_size_ + std::min<std::uint64_t>(size_, piece_bytes) + 1, '\0') {
    std::copy(header.begin(), header.end(), buffer_.begin());
    wipe(header); // it may hold a token
}

RequestBytes::~RequestBytes() {
    wipe(buffer_.data(), header_size_);
}

Awaitable<std::string_view> RequestBytes::next() {
    assert(!is_done());
    const std::size_t begin = is_begun_ ? 0 : header_size_;
    if (!is_begun_ && body_) {
        body_->rewind();
    }
    is_begun_ = true;
    std::size_t count = 0;
    if (left_ > 0) {
        count = co_await read_body(begin);
        left_ -= count;
    }
    co_return std::string_view{buffer_}.substr(0, begin + count);
}

Awaitable<std::size_t> RequestBytes::read_body(std::size_t begin) {
    const auto room = std::as_writable_bytes(std::span{buffer_}).subspan(begin, read_size(left_));
    std::size_t count = 0;
    try {
        count = co_await body_->read_some(room);
    } catch (const ConnectionLost& lost) {
        throw Error{static_cast<const Error&>(lost)};
    }
    if (count == 0 || count > left_) {
        throw Error{ErrorKind::internal,
                    fmt::format("a request's body announced {} bytes and has {}", size_,
                                count == 0 ? fmt::to_string(size_ - left_) : "more")};
    }
    co_return count;
}

} // namespace wharf::net
