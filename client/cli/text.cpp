#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace wharf::cli {

namespace {

/// One character of UTF-8 text. `valid` is false for a byte that does not begin a well-formed
/// sequence; `size` is 1 then.
struct Character {
    char32_t code = 0;
    std::size_t size = 1;
    bool valid = false;
};

/// Reads the first character. Overlong forms, surrogates and codes above U+10FFFF are not valid.
/// Requires: `text` is not empty.
Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {lead, 1, true};
    }
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) {
        return {lead, 1, false};
    }
    char32_t code = lead & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) {
            return {lead, 1, false};
        }
        code = code << 6U | (byte(i) & 0x3fU);
    }
    const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    if (overlong || surrogate || code > 0x10ffff) {
        return {lead, 1, false};
    }
    return {code, size, true};
}

using Range = std::pair<char32_t, char32_t>;

template <std::size_t N>
bool within(char32_t code, const std::array<Range, N>& ranges) {
    return std::ranges::any_of(
        ranges, [&](const Range& range) { return code >= range.first && code <= range.second; });
}

/// Marks that reorder the text around them: a name may not make another sentence of ours.
bool changes_direction(char32_t code) {
    static constexpr std::array<Range, 4> ranges{
        {{0x061c, 0x061c}, {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x2069}}};
    return within(code, ranges);
}

/// Columns of one character: a coarse East Asian Width, good enough to keep lines within a window.
std::size_t columns(char32_t code) {
    static constexpr std::array<Range, 4> none{
        {{0x0300, 0x036f}, {0x200b, 0x200d}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}}};
    static constexpr std::array<Range, 9> wide{{{0x1100, 0x115f},
                                                {0x2e80, 0xa4cf},
                                                {0xac00, 0xd7a3},
                                                {0xf900, 0xfaff},
                                                {0xfe30, 0xfe6f},
                                                {0xff00, 0xff60},
                                                {0xffe0, 0xffe6},
                                                {0x1f300, 0x1faff},
                                                {0x20000, 0x3fffd}}};
    return within(code, none) ? 0 : within(code, wide) ? 2 : 1;
}

bool is_plain_in_shell(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"_-./:=@%+,"}.find(c) != std::string_view::npos;
}

} // namespace

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const Character c = first_character(text);
        const bool control = c.code < 0x20 || (c.code >= 0x7f && c.code < 0xa0);
        if (!c.valid || (control && c.size == 1)) {
            out += fmt::format("\\x{:02x}", static_cast<unsigned>(c.code));
        } else if (control || changes_direction(c.code) || c.code == 0x2028 || c.code == 0x2029) {
            out += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(c.code));
        } else {
            out += text.substr(0, c.size);
        }
        text.remove_prefix(c.size);
    }
    return out;
}

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const Character c = first_character(text);
        width += columns(c.code);
        text.remove_prefix(c.size);
    }
    return width;
}

std::string keep_end(std::string_view text, std::size_t width, bool utf8) {
    std::size_t rest = display_width(text);
    if (rest <= width) {
        return std::string{text};
    }
    const std::string_view mark = utf8 ? "…" : "..";
    const std::size_t room = width - std::min(width, display_width(mark));
    while (rest > room) {
        const Character c = first_character(text);
        rest -= columns(c.code);
        text.remove_prefix(c.size);
    }
    return keep_start(mark, width) + std::string{text};
}

std::string keep_start(std::string_view text, std::size_t width) {
    std::size_t size = 0;
    while (size < text.size()) {
        const Character c = first_character(text.substr(size));
        if (columns(c.code) > width) {
            break;
        }
        width -= columns(c.code);
        size += c.size;
    }
    return std::string{text.substr(0, size)};
}

std::vector<std::string> break_lines(std::string_view text, std::size_t width) {
    std::vector<std::string> lines;
    while (display_width(text) > width) {
        std::string line = keep_start(text, std::max<std::size_t>(width, 2)); // wide characters
        std::size_t used = line.size();
        if (used < text.size() && text[used] != ' ') {
            if (const auto blank = line.rfind(' '); blank != std::string::npos && blank > 0) {
                line.resize(blank);
                used = blank;
            }
        }
        line.erase(line.find_last_not_of(' ') + 1);
        lines.push_back(std::move(line));
        text.remove_prefix(used);
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    }
    if (lines.empty() || !text.empty()) {
        lines.emplace_back(text);
    }
    return lines;
}

std::string shell_quote(std::string_view text) {
    if (!text.empty() && std::ranges::all_of(text, is_plain_in_shell)) {
        return std::string{text};
    }
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'') {
            out += "'\\''";
        } else {
            out += c;
        }
    }
    return out + "'";
}

std::string count(std::size_t number, std::string_view noun) {
    return fmt::format("{} {}{}", number, noun, number == 1 ? "" : "s");
}

} // namespace wharf::cli
