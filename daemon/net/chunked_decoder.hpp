#pragma once

#include "base/error.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace wharf::net {

/// Takes the chunks of a body apart (RFC 9112, section 7.1). No I/O; input may end anywhere.
/// Extensions and trailers are read and dropped. Strict about line ends and sizes: what two readers
/// could understand differently is an error.
class ChunkedDecoder {
  public:
    /// `max_framing_bytes` bounds one chunk's header, and all trailers together.
    explicit ChunkedDecoder(std::size_t max_framing_bytes) : max_framing_{max_framing_bytes} {}

    struct Step {
        std::size_t consumed = 0; ///< of the input
        std::size_t produced = 0; ///< at the output's start
    };

    /// Decodes until the input is used up, the output is full or the body has ended. Errors:
    /// protocol.
    Result<Step> put(std::span<const std::byte> input, std::span<std::byte> output);

    bool is_done() const noexcept { return state_ == State::done; }

  private:
    enum class State {
        size_start, ///< before the first digit
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start, ///< at the start of a line
        trailer,
        trailer_lf,
        end_lf,
        done
    };

    std::size_t max_framing_;
    std::size_t framing_ = 0; ///< bytes of the chunk header or trailers so far
    std::uint64_t size_ = 0;  ///< of the chunk; then what lacks of it
    State state_ = State::size_start;

    /// Takes one byte that is not data; false when it must not come here.
    bool take(char c) noexcept;
    bool take_of_size(char c) noexcept;
};

} // namespace wharf::net
