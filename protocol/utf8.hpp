#pragma once

#include <string>
#include <string_view>

namespace wharf::protocol {

/// Whether the text is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates).
bool is_utf8(std::string_view text) noexcept;

/// The text with each byte that is not part of well-formed UTF-8 replaced by U+FFFD, for sentences
/// that quote names from a disk.
std::string to_utf8(std::string_view text);

} // namespace wharf::protocol
