#include "base/base64.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace wharf {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Two digits for each value of twelve bits: a commit's contents are made with them, and half as
/// many look-ups take half the time.
using Pair = std::array<char, 2>;
constexpr std::size_t pair_count = 1 << 12;

constexpr std::array<Pair, pair_count> make_pairs() {
    std::array<Pair, pair_count> pairs{};
    for (std::size_t bits = 0; bits < pair_count; ++bits) {
        pairs[bits] = {alphabet[bits >> 6], alphabet[bits & 63]};
    }
    return pairs;
}

constexpr auto pairs = make_pairs();

/// Writes the four digits of 24 bits.
void put_group(char* out, std::uint32_t bits) noexcept {
    std::memcpy(out, pairs[bits >> 12].data(), 2);
    std::memcpy(out + 2, pairs[bits & (pair_count - 1)].data(), 2);
}

} // namespace

void append_base64(std::string& out, std::span<const std::byte> data) {
    const std::size_t before = out.size();
    out.resize(before + base64_size(data.size()));
    char* group = out.data() + before;
    const auto byte = [&data](std::size_t index) {
        return std::to_integer<std::uint32_t>(data[index]);
    };
    const std::size_t left = data.size() % 3;
    const std::size_t whole = data.size() - left;
    for (std::size_t i = 0; i < whole; i += 3) {
        put_group(group, byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2));
        group += 4;
    }
    if (left > 0) {
        put_group(group, byte(whole) << 16 | (left > 1 ? byte(whole + 1) << 8 : 0));
        std::fill(group + left + 1, group + 4, '=');
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
