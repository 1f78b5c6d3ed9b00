#include "daemon/hub/header_fields.hpp"

#include "base/digest.hpp"
#include "daemon/hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace wharf::hub {

namespace {

/// Takes the text up to `end` off the front; none when `end` does not occur.
std::optional<std::string_view> take_until(std::string_view& text, char end) noexcept {
    const std::size_t at = text.find(end);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(at + 1);
    return taken;
}

bool take(std::string_view& text, std::string_view wanted) noexcept {
    if (!text.starts_with(wanted)) {
        return false;
    }
    text.remove_prefix(wanted.size());
    return true;
}

void skip_gaps(std::string_view& text) noexcept {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
}

/// A parameter's value: a quoted string, unescaped, or a plain word. None: the quotes never end.
std::optional<std::string> take_value(std::string_view& text) {
    std::string value;
    if (!take(text, "\"")) {
        value = trimmed(text.substr(0, text.find_first_of(";,")));
        text.remove_prefix(std::min(text.find_first_of(";,"), text.size()));
        return value;
    }
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (c == '"') {
            return value;
        }
        if (c == '\\' && !text.empty()) {
            value += text.front();
            text.remove_prefix(1);
        } else {
            value += c;
        }
    }
    return std::nullopt;
}

/// Relation types are separated by spaces and compare without case.
bool names_next(std::string_view relations) noexcept {
    while (!relations.empty()) {
        const std::size_t end = std::min(relations.find(' '), relations.size());
        if (equals_ignoring_case(relations.substr(0, end), "next")) {
            return true;
        }
        relations.remove_prefix(std::min(end + 1, relations.size()));
    }
    return false;
}

struct Link {
    std::string target;
    bool next = false;
};

/// Takes one `<target>; parameter; parameter="value"` off the front, with the comma that follows.
/// None when the text is something else.
std::optional<Link> take_link(std::string_view& text) {
    skip_gaps(text);
    if (!take(text, "<")) {
        return std::nullopt;
    }
    const auto target = take_until(text, '>');
    if (!target) {
        return std::nullopt;
    }
    Link link{std::string{*target}};
    bool related = false;
    while (skip_gaps(text), take(text, ";")) {
        skip_gaps(text);
        const std::size_t name_end = std::min(text.find_first_of("=;, \t"), text.size());
        const std::string_view name = text.substr(0, name_end);
        text.remove_prefix(name_end);
        skip_gaps(text);
        std::optional<std::string> value{std::string{}};
        if (take(text, "=")) {
            skip_gaps(text);
            value = take_value(text);
        }
        if (!value) {
            return std::nullopt;
        }
        if (equals_ignoring_case(name, "rel") && !related) { // RFC 8288: only the first one counts
            related = true;
            link.next = names_next(*value);
        }
    }
    if (!text.empty() && !take(text, ",")) {
        return std::nullopt;
    }
    return link;
}

/// One field's links. False when it cannot be read or there is a second "next".
bool read_links(std::string_view text, std::optional<std::string>& next) {
    while (true) {
        while (skip_gaps(text), take(text, ",")) { // empty list elements are allowed
        }
        if (text.empty()) {
            return true;
        }
        std::optional<Link> link = take_link(text);
        if (!link || (link->next && next)) {
            return false;
        }
        if (link->next) {
            next = std::move(link->target);
        }
    }
}

} // namespace

std::string blob_name_of_etag(std::string_view value) {
    value = trimmed(value);
    value.remove_prefix(std::min(value.find_first_not_of("W/"), value.size()));
    value.remove_prefix(std::min(value.find_first_not_of('"'), value.size()));
    while (value.ends_with('"')) {
        value.remove_suffix(1);
    }
    return is_blob_name(value) ? std::string{value} : std::string{};
}

Result<ContentRange> parse_content_range(std::string_view value) {
    const Error unreadable{ErrorKind::protocol,
                           fmt::format("the field Content-Range is {}", quoted(value))};
    std::string_view rest = trimmed(value);
    if (rest.size() < 6 || !equals_ignoring_case(rest.substr(0, 6), "bytes ")) {
        return unreadable;
    }
    rest.remove_prefix(6);
    const auto first = parse_number(take_until(rest, '-').value_or(""));
    const auto last = parse_number(take_until(rest, '/').value_or(""));
    const auto total = parse_number(rest);
    if (!first || !last || *first > *last || (!total && rest != "*") ||
        (total && *last >= *total)) {
        return unreadable;
    }
    return ContentRange{*first, *last, total};
}

std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
    std::uint64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [parsed, ec] = std::from_chars(text.data(), end, number);
    return ec == std::errc{} && parsed == end ? std::optional{number} : std::nullopt;
}

Result<std::optional<std::string>> next_link(const net::Headers& headers) {
    std::optional<std::string> next;
    for (const std::string_view field : headers.all("Link")) {
        if (!read_links(field, next)) {
            // Not quoted: a cursor is of no use to the reader and may be long.
            return Error{ErrorKind::protocol, "the Hub's field Link cannot be read"};
        }
    }
    return next;
}

} // namespace wharf::hub
