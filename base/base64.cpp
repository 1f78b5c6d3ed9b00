#include "base/base64.hpp"

namespace wharf {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char digit(std::uint32_t bits, unsigned shift) noexcept {
    return alphabet[(bits >> shift) & 63];
}

} // namespace

void append_base64(std::string& out, std::span<const std::byte> data) {
    out.reserve(out.size() + base64_size(data.size()));
    const auto byte = [&data](std::size_t index) {
        return index < data.size() ? std::to_integer<std::uint32_t>(data[index]) : 0;
    };
    for (std::size_t i = 0; i < data.size(); i += 3) {
        const std::uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
        const std::size_t left = data.size() - i;
        const char group[] = {digit(bits, 18), digit(bits, 12), left > 1 ? digit(bits, 6) : '=',
                              left > 2 ? digit(bits, 0) : '='};
        out.append(group, sizeof group);
    }
}

std::string base64(std::string_view text) {
    std::string out;
    append_base64(out, std::as_bytes(std::span{text}));
    return out;
}

Result<std::string> from_base64(std::string_view text) {
    const Error bad{ErrorKind::invalid_request, "this is not base64"};
    std::string_view digits = text;
    for (int padding = 0; padding < 2 && digits.ends_with('='); ++padding) {
        digits.remove_suffix(1);
    }
    if (text.size() % 4 != 0 || digits.size() % 4 == 1) {
        return bad;
    }
    std::string out;
    out.reserve(digits.size() / 4 * 3 + 2);
    std::uint32_t bits = 0; // of those that are read, the ones that make no byte yet
    unsigned waiting = 0;
    for (const char digit : digits) {
        const auto value = alphabet.find(digit);
        if (value == alphabet.npos) {
            return bad;
        }
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        waiting += 6;
        if (waiting >= 8) {
            waiting -= 8;
            out.push_back(static_cast<char>(bits >> waiting));
            bits &= (1U << waiting) - 1;
        }
    }
    if (bits != 0) {
        return bad;
    }
    return out;
}

} // namespace wharf
