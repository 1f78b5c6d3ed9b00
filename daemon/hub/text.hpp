#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace wharf::hub {

/// Whether the bytes are UTF-8 as RFC 3629 has it: no overlong forms, no surrogates.
bool is_utf8(std::string_view text) noexcept;

/// Text from outside as part of a sentence of ours: in single quotes, at most 120 bytes, with
/// everything unprintable escaped as \xNN.
std::string quoted(std::string_view text);

/// What a server says for people, made fit for our messages: one line of printable text up to 300
/// bytes. Empty when it looks like a page (markup). URLs lose their queries; what looks like a
/// token is blotted out: servers may echo both.
std::string spoken_text(std::string_view text);

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;

/// Without spaces and tabs at both ends.
std::string_view trimmed(std::string_view text) noexcept;

} // namespace wharf::hub
