#include "base/wildcard.hpp"

#include <algorithm>
#include <optional>

namespace wharf {

namespace {

/// The length of the UTF-8 character at `text[at]`; damaged bytes count as one each.
std::size_t character_length(std::string_view text, std::size_t at) noexcept {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    return std::min(length, text.size() - at);
}

std::string_view character(std::string_view text, std::size_t at) noexcept {
    return text.substr(at, character_length(text, at));
}

/// The inside of a set that starts behind "[" at `at`, or none if it is never closed. As in Python,
/// a "]" that comes first (also behind "!") is a member.
std::optional<std::string_view> set_members(std::string_view pattern, std::size_t at) noexcept {
    std::size_t end = at;
    if (end < pattern.size() && pattern[end] == '!') {
        ++end;
    }
    if (end < pattern.size() && pattern[end] == ']') {
        ++end;
    }
    end = pattern.find(']', end);
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    return pattern.substr(at, end - at);
}

/// UTF-8 compares like the code points it stands for, so ranges need no decoding.
bool in_set(std::string_view members, std::string_view candidate) noexcept {
    const bool negated = members.starts_with('!');
    if (negated) {
        members.remove_prefix(1);
    }
    bool found = false;
    for (std::size_t i = 0; i < members.size() && !found;) {
        const auto low = character(members, i);
        i += low.size();
        if (i + 1 < members.size() && members[i] == '-') {
            const auto high = character(members, i + 1);
            i += 1 + high.size();
            found = low <= candidate && candidate <= high;
        } else {
            found = low == candidate;
        }
    }
    return found != negated;
}

struct Step {
    bool matched = false;
    std::size_t pattern_advance = 1;
};

/// Compares one element of the pattern, not "*", with one character.
Step match_one(std::string_view pattern, std::size_t p, std::string_view candidate) noexcept {
    if (pattern[p] == '?') {
        return {true, 1};
    }
    if (pattern[p] == '[') {
        if (const auto members = set_members(pattern, p + 1)) {
            return {in_set(*members, candidate), members->size() + 2};
        }
    }
    const auto literal = character(pattern, p);
    return {literal == candidate, literal.size()};
}

} // namespace

bool matches(std::string_view pattern, std::string_view path) {
    // Greedy with one point to go back to: the last "*" and how far it had reached.
    std::size_t p = 0;
    std::size_t s = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_reach = 0;
    while (s < path.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_reach = s;
            continue;
        }
        const auto candidate = character(path, s);
        const Step step = p < pattern.size() ? match_one(pattern, p, candidate) : Step{};
        if (step.matched) {
            p += step.pattern_advance;
            s += candidate.size();
        } else if (star != std::string_view::npos) {
            star_reach += character_length(path, star_reach);
            s = star_reach;
            p = star + 1;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view path) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
        return pattern.ends_with('/') ? matches(pattern + '*', path) : matches(pattern, path);
    });
}

} // namespace wharf
