#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace wharf {

/// How long base64 makes so many bytes (RFC 4648, section 4, padded).
constexpr std::uint64_t base64_size(std::uint64_t size) noexcept {
    return (size / 3 + (size % 3 != 0)) * 4;
}

/// Appends the bytes in base64. Pieces may follow each other as long as all but the last are
/// multiples of three bytes.
void append_base64(std::string& out, std::span<const std::byte> data);

std::string base64(std::string_view text);

/// The bytes of a text in base64, taken strictly: padded, without line ends or other characters
/// that mean nothing, and no bit set that stands for none of the bytes. Errors: invalid_request.
Result<std::string> from_base64(std::string_view text);

} // namespace wharf
