// One byte at a time outside the data, so that it never matters where a read ended; data is copied
// in one go. Beast's decoder is not used: fed an empty body byte by byte it runs into an assertion
// of its own (seen with Boost 1.81), and a peer decides how its bytes arrive.

#include "daemon/net/chunked_decoder.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace wharf::net {

namespace {

constexpr std::uint64_t largest_chunk = std::numeric_limits<std::int64_t>::max();

/// The digit's value, or -1.
constexpr int hex_value(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

constexpr bool is_text(char c) noexcept {
    return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

} // namespace

Result<ChunkedDecoder::Step> ChunkedDecoder::put(std::span<const std::byte> input,
                                                 std::span<std::byte> output) {
    Step step;
    while (step.consumed < input.size() && state_ != State::done) {
        if (state_ != State::data) {
            if (++framing_ > max_framing_) {
                return Error{ErrorKind::protocol, "a chunk's header or the trailer is too large"};
            }
            if (!take(static_cast<char>(input[step.consumed++]))) {
                return Error{ErrorKind::protocol, "the chunked body is malformed"};
            }
            continue;
        }
        const auto room = std::min(input.size() - step.consumed, output.size() - step.produced);
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(room, size_));
        if (count == 0) {
            break;
        }
        std::memcpy(output.data() + step.produced, input.data() + step.consumed, count);
        step.consumed += count;
        step.produced += count;
        size_ -= count;
        state_ = size_ == 0 ? State::data_cr : State::data;
    }
    return step;
}

bool ChunkedDecoder::take(char c) noexcept {
    switch (state_) {
    case State::size_start:
    case State::size:
        return take_of_size(c);
    case State::extension:
        state_ = c == '\r' ? State::size_lf : State::extension;
        return c == '\r' || is_text(c);
    case State::size_lf:
        state_ = size_ == 0 ? State::trailer_start : State::data;
        return c == '\n';
    case State::data_cr:
        state_ = State::data_lf;
        return c == '\r';
    case State::data_lf:
        state_ = State::size_start;
        framing_ = 0;
        return c == '\n';
    case State::trailer_start:
        state_ = c == '\r' ? State::end_lf : State::trailer;
        return c == '\r' || is_text(c);
    case State::trailer:
        state_ = c == '\r' ? State::trailer_lf : State::trailer;
        return c == '\r' || is_text(c);
    case State::trailer_lf:
        state_ = State::trailer_start;
        return c == '\n';
    case State::end_lf:
        state_ = State::done;
        return c == '\n';
    case State::data:
    case State::done:
        break;
    }
    return false;
}

bool ChunkedDecoder::take_of_size(char c) noexcept {
    const int digit = hex_value(c);
    if (digit >= 0) {
        if (size_ > (largest_chunk - static_cast<unsigned>(digit)) / 16) {
            return false;
        }
        size_ = size_ * 16 + static_cast<unsigned>(digit);
        state_ = State::size;
        return true;
    }
    if (state_ == State::size_start) { // at least one digit
        return false;
    }
    state_ = c == '\r' ? State::size_lf : State::extension;
    return c == '\r' || c == ';' || c == ' ' || c == '\t';
}

} // namespace wharf::net
