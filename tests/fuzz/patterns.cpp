// Patterns that users send, against paths: the first line is the pattern, the second the path.
// Promises: the answer is that of a slow reader that tries everything, for patterns without sets;
// what a pattern matches it also matches with a star more.

#include "daemon/jobs/patterns.hpp"

#include "base/wildcard.hpp"
#include "protocol/utf8.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace wharf::fuzz {

namespace {

bool begins_character(std::string_view text, std::size_t at) noexcept {
    return at == text.size() || (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80;
}

std::size_t character_length(std::string_view text) noexcept {
    std::size_t length = 1;
    while (length < text.size() && !begins_character(text, length)) {
        ++length;
    }
    return length;
}

/// What a pattern without sets means, said plainly. Requires: UTF-8.
bool matches_slowly(std::string_view pattern, std::string_view path) {
    std::vector<bool> reached(path.size() + 1, false); // ends of the path's parts that match so far
    reached[0] = true;
    while (!pattern.empty()) {
        const auto element = pattern.substr(0, character_length(pattern));
        pattern.remove_prefix(element.size());
        std::vector<bool> next(path.size() + 1, false);
        bool before = false;
        for (std::size_t at = 0; at <= path.size(); ++at) {
            before = before || reached[at];
            if (element == "*") {
                next[at] = before && begins_character(path, at);
            } else if (reached[at] && at < path.size()) {
                const auto character = path.substr(at, character_length(path.substr(at)));
                next[at + character.size()] = element == "?" || element == character;
            }
        }
        reached = std::move(next);
    }
    return reached[path.size()];
}

} // namespace

void run(std::string_view input) {
    const std::string pattern{take_until(input, '\n')};
    const std::string path{take_until(input, '\n')};
    if (pattern.size() + path.size() > 1024) {
        return; // a megabyte of steps at most
    }
    const bool found = matches(pattern, path);
    require(matches("*", path), "a star matches everything");
    if (!protocol::is_utf8(pattern) || !protocol::is_utf8(path)) {
        return; // the socket lets nothing else through, nor do listings
    }
    require(matches("*" + pattern, path) || !found, "a star in front takes nothing away");
    require(matches(pattern + "*", path) || !found, "a star at the end takes nothing away");
    if (pattern.find('[') == std::string::npos) {
        require(found == matches_slowly(pattern, path), "a pattern means what it says");
    }
    if (pattern.find_first_of("*?[") == std::string::npos) {
        require(found == (pattern == path), "a name matches itself alone");
    }
    const hub::Tree tree{{{path, 1, {}, {}, {}}}};
    const auto wanted = jobs::select(tree, {.files = {}, .include = {pattern}, .exclude = {}});
    const auto others = jobs::select(tree, {.files = {}, .include = {}, .exclude = {pattern}});
    require(wanted->size() + others->size() == 1, "a file is in or out");
}

} // namespace wharf::fuzz
