#include "protocol/utf8.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace wharf::protocol {

namespace {

/// One row of RFC 3629's grammar: what may begin a character, what its second byte may be.
struct Form {
    std::uint8_t first_low, first_high;
    std::uint8_t second_low, second_high;
    std::size_t length;
};
constexpr std::array<Form, 9> forms{{
    {0x00, 0x7f, 0, 0, 1},
    {0xc2, 0xdf, 0x80, 0xbf, 2},
    {0xe0, 0xe0, 0xa0, 0xbf, 3},
    {0xe1, 0xec, 0x80, 0xbf, 3},
    {0xed, 0xed, 0x80, 0x9f, 3},
    {0xee, 0xef, 0x80, 0xbf, 3},
    {0xf0, 0xf0, 0x90, 0xbf, 4},
    {0xf1, 0xf3, 0x80, 0xbf, 4},
    {0xf4, 0xf4, 0x80, 0x8f, 4},
}};

bool fits(const Form& form, std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    if (byte(0) < form.first_low || byte(0) > form.first_high || text.size() < form.length) {
        return false;
    }
    if (form.length > 1 && (byte(1) < form.second_low || byte(1) > form.second_high)) {
        return false;
    }
    for (std::size_t i = 2; i < form.length; ++i) {
        if (byte(i) < 0x80 || byte(i) > 0xbf) {
            return false;
        }
    }
    return true;
}

/// How many bytes the character at the beginning of a text has; zero when it is none.
std::size_t character_length(std::string_view text) noexcept {
    for (const Form& form : forms) {
        if (fits(form, text)) {
            return form.length;
        }
    }
    return 0;
}

} // namespace

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

std::string to_utf8(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        out.append(length == 0 ? std::string_view{"\xef\xbf\xbd"} : text.substr(0, length));
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

} // namespace wharf::protocol
