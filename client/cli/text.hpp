#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Text as a terminal and a shell take it. Pure.
namespace wharf::cli {

/// The text with everything made visible that could steer a terminal: control characters and bytes
/// that are not UTF-8 become "\x1b", marks that change the writing direction "\u{202e}". Names and
/// sentences from outside pass through here before they are shown.
std::string printable(std::string_view text);

/// How many columns the text takes on a terminal. Requires: `printable` text.
std::size_t display_width(std::string_view text);

/// The text's end, at most `width` columns with the mark for what was cut in front: of a long path
/// the end tells most. `utf8` chooses between one ellipsis character and two dots.
std::string keep_end(std::string_view text, std::size_t width, bool utf8);

/// The text's beginning, at most `width` columns.
std::string keep_start(std::string_view text, std::size_t width);

/// The text in lines of at most `width` columns, broken between words; a longer word is broken
/// within. At least one line. Requires: `printable` text.
std::vector<std::string> break_lines(std::string_view text, std::size_t width);

/// The text as one word for a POSIX shell: as it is when no character in it is special, else within
/// single quotes.
std::string shell_quote(std::string_view text);

/// "1 file", "2 files".
std::string count(std::size_t number, std::string_view noun);

} // namespace wharf::cli
