#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::protocol {

/// The longest message either side accepts, in bytes without its final NUL. Whoever sends a longer
/// one loses the connection.
inline constexpr std::size_t message_limit = std::size_t{4} << 20;

/// The most descriptors that can come with one message: the kernel's SCM_MAX_FD for one sendmsg().
inline constexpr std::size_t descriptor_limit = 253;

/// A message as it came: the JSON text without its NUL, and the descriptors sent along with it.
struct Frame {
    std::string text;
    std::vector<UniqueFd> descriptors;
};

/// Splits a stream of bytes at its NULs, however the bytes are cut. Take all frames with next()
/// before appending more: then it never holds more than one message and one append, and when
/// nothing is unfinished it holds no memory.
class FrameReader {
  public:
    explicit FrameReader(std::size_t limit = message_limit) noexcept : limit_{limit} {}

    /// Adds what one recvmsg() returned. Its descriptors belong to the last message that begins in
    /// these bytes, else to the one in progress: the kernel ends a read after the bytes that
    /// carry descriptors, so this is right for every sender that writes each message that has
    /// some on its own.
    void append(std::string_view bytes, std::vector<UniqueFd> descriptors = {});

    /// The next whole message. Errors: protocol, when one is over the limit or has too many
    /// descriptors; the stream is of no use then.
    Result<std::optional<Frame>> next();

    /// Whether the beginning of a message is here whose end is not. Requires: next() found none.
    bool has_partial() const noexcept { return buffer_.size() > begin_; }

    /// Bytes and descriptors held.
    std::size_t buffered() const noexcept { return buffer_.size() - begin_; }
    std::size_t descriptors() const noexcept;

    /// Those that came for messages not handed out, when the stream is at its end.
    std::vector<UniqueFd> take_descriptors();

  private:
    struct Descriptors {
        std::uint64_t message;
        std::vector<UniqueFd> list;
    };
    std::vector<UniqueFd> take_descriptors(std::uint64_t message);

    std::size_t limit_;
    std::string buffer_;
    std::size_t begin_ = 0;   ///< of the next message in the buffer
    std::size_t scanned_ = 0; ///< no NUL between `begin_` and here
    std::uint64_t ends_ = 0;  ///< NULs appended so far: the number of the message in progress
    std::uint64_t taken_ = 0; ///< messages handed out so far
    std::vector<Descriptors> descriptors_;
};

} // namespace wharf::protocol
