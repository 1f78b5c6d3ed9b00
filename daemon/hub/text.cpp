#include "daemon/hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wharf::hub {

namespace {

constexpr std::size_t longest_quote = 120;
constexpr std::size_t longest_speech = 300;

unsigned char byte_at(std::string_view text, std::size_t index) noexcept {
    return static_cast<unsigned char>(text[index]);
}

bool is_control(char c) noexcept {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

/// The length of the well-formed sequence that `text` begins with, 0 if it begins with none
/// (Unicode, table 3-7). Requires: not empty.
std::size_t utf8_sequence(std::string_view text) noexcept {
    const unsigned char lead = byte_at(text, 0);
    if (lead < 0x80) {
        return 1;
    }
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < length) {
        return 0;
    }
    // The second byte's bounds exclude overlong forms, surrogates and what is above U+10FFFF.
    const unsigned char least = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char most = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte_at(text, 1) < least || byte_at(text, 1) > most) {
        return 0;
    }
    for (std::size_t i = 2; i < length; ++i) {
        if ((byte_at(text, i) & 0xc0) != 0x80) {
            return 0;
        }
    }
    return length;
}

/// C1 controls (U+0080 to U+009F): some terminals obey them as they obey ESC.
bool is_c1(std::string_view sequence) noexcept {
    return sequence.size() == 2 && byte_at(sequence, 0) == 0xc2 && byte_at(sequence, 1) < 0xa0;
}

/// Requires: valid UTF-8.
bool has_c1(std::string_view text) noexcept {
    for (std::size_t at = text.find('\xc2'); at != std::string_view::npos;
         at = text.find('\xc2', at + 1)) {
        if (is_c1(text.substr(at, 2))) {
            return true;
        }
    }
    return false;
}

/// A word of a server's sentence without secrets.
std::string_view discreet(std::string_view word, std::string_view previous) noexcept {
    // Tokens of the Hub begin with hf_ or api_org_; other servers' follow the scheme's name.
    for (const std::string_view mark : {"hf_", "api_org_", "eyJ"}) {
        if (word.find(mark) != std::string_view::npos && word.size() > mark.size() + 4) {
            return "[token]";
        }
    }
    if (equals_ignoring_case(previous, "bearer") || equals_ignoring_case(previous, "basic")) {
        return "[token]";
    }
    const bool url = word.find("://") != std::string_view::npos || word.starts_with('/');
    return url ? word.substr(0, word.find_first_of("?#")) : word;
}

} // namespace

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_sequence(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

std::string quoted(std::string_view text) {
    std::string out = "'";
    std::string_view rest = text;
    while (!rest.empty() && out.size() < longest_quote) {
        const std::size_t length = utf8_sequence(rest);
        const std::string_view sequence = rest.substr(0, std::max<std::size_t>(length, 1));
        if (length == 0 || is_control(sequence[0]) || is_c1(sequence)) {
            for (std::size_t i = 0; i < sequence.size(); ++i) {
                fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte_at(sequence, i));
            }
        } else {
            out += sequence;
        }
        rest.remove_prefix(sequence.size());
    }
    return out + (rest.empty() ? "'" : "...'");
}

std::string spoken_text(std::string_view text) {
    if (text.find('<') != std::string_view::npos || !is_utf8(text) || has_c1(text)) {
        return {};
    }
    std::string out;
    std::string_view previous;
    while (out.size() < longest_speech) {
        const auto is_gap = [](char c) { return is_control(c) || c == ' '; };
        const auto begin = std::ranges::find_if_not(text, is_gap);
        const auto end = std::find_if(begin, text.end(), is_gap);
        const std::string_view word{begin, end};
        if (word.empty()) {
            return out;
        }
        out += out.empty() ? "" : " ";
        out += discreet(word, previous);
        previous = word;
        text = std::string_view{end, text.end()};
    }
    out.resize(longest_speech);
    while (!is_utf8(out)) {
        out.pop_back();
    }
    return out + "...";
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
    const auto lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trimmed(std::string_view text) noexcept {
    const std::size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) {
        return {};
    }
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

} // namespace wharf::hub
