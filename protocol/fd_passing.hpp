#pragma once

#include "base/unique_fd.hpp"

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace wharf::protocol {

/// What one call of the kernel did. Zero received bytes without an error are the end of the stream.
struct IoResult {
    std::size_t bytes = 0;
    int error_number = 0; ///< EAGAIN when the socket is not ready
};

/// Sends what the socket takes now, with the descriptors attached to the first byte; once any byte
/// is sent, the descriptors are. Never blocks, raises no signal. Borrows the socket and the
/// descriptors. Requires: at least one byte, at most `descriptor_limit` descriptors.
IoResult send_some(int socket, std::string_view bytes, std::span<const UniqueFd> descriptors = {});

/// Receives what is there into `buffer`, and descriptors at the end of `descriptors`. Never
/// blocks. When the kernel could not deliver all descriptors that came together (this process
/// has no more free), none of them is kept: indexes into a part of them would name the wrong ones.
/// Without a list the kernel drops what comes.
IoResult receive_some(int socket, std::span<char> buffer, std::vector<UniqueFd>* descriptors);

} // namespace wharf::protocol
