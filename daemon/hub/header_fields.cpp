#include "daemon/hub/header_fields.hpp"

#include "base/digest.hpp"
#include "daemon/hub/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace wharf::hub {

namespace {

using std::chrono::seconds;
using SystemTime = std::chrono::system_clock::time_point;

constexpr seconds longest_wait{3600};

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

/// The value of "name=digits" in one item of a RateLimit field.
std::optional<std::uint64_t> parameter(std::string_view item, std::string_view name) noexcept {
    while (!item.empty()) {
        const std::size_t end = std::min(item.find(';'), item.size());
        std::string_view part = trimmed(item.substr(0, end));
        if (take(part, name) && take(part, "=")) {
            return parse_number(part);
        }
        item.remove_prefix(std::min(end + 1, item.size()));
    }
    return std::nullopt;
}

/// The longest of the windows in which nothing remains.
std::optional<std::uint64_t> rate_limit_wait(const net::Headers& headers) {
    std::optional<std::uint64_t> wait;
    for (std::string_view field : headers.all("RateLimit")) {
        while (!field.empty()) {
            const std::size_t end = std::min(field.find(','), field.size());
            const std::string_view item = field.substr(0, end);
            const auto reset = parameter(item, "t");
            if (parameter(item, "r") == 0U && reset) {
                wait = std::max(wait.value_or(0), *reset);
            }
            field.remove_prefix(std::min(end + 1, field.size()));
        }
    }
    return wait;
}

/// "Sun, 06 Nov 1994 08:49:37 GMT", the one form that may still be sent (RFC 9110, 5.6.7).
/// In seconds: a year like 9999 does not fit the system clock's nanoseconds.
std::optional<std::chrono::sys_seconds> parse_date(std::string_view text) noexcept {
    static constexpr std::array<std::string_view, 12> months{
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    if (text.size() != 29 || text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' ||
        text[16] != ' ' || text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT") {
        return std::nullopt;
    }
    const auto day = parse_number(text.substr(5, 2));
    const auto month = std::ranges::find(months, text.substr(8, 3));
    const auto year = parse_number(text.substr(12, 4));
    const auto hour = parse_number(text.substr(17, 2));
    const auto minute = parse_number(text.substr(20, 2));
    const auto second = parse_number(text.substr(23, 2));
    if (!day || month == months.end() || !year || !hour || !minute || !second) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{
        std::chrono::year{static_cast<int>(*year)},
        std::chrono::month{static_cast<unsigned>(month - months.begin()) + 1},
        std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok() || *hour > 23 || *minute > 59 || *second > 60) {
        return std::nullopt;
    }
    return std::chrono::sys_days{date} + seconds{*hour * 3600 + *minute * 60 + *second};
}

std::optional<seconds> retry_after(std::string_view value, SystemTime now) noexcept {
    if (const auto count = parse_number(value)) {
        return seconds{std::min<std::uint64_t>(*count, longest_wait.count())};
    }
    const auto date = parse_date(value);
    if (!date) {
        return std::nullopt;
    }
    return std::clamp(*date - std::chrono::floor<seconds>(now), seconds{0}, longest_wait);
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

std::optional<seconds> wait_asked(const net::Headers& headers, SystemTime now) {
    if (const auto wait = rate_limit_wait(headers)) {
        return seconds{std::min<std::uint64_t>(*wait, longest_wait.count())};
    }
    const auto field = headers.find("Retry-After");
    return field ? retry_after(trimmed(*field), now) : std::nullopt;
}

} // namespace wharf::hub
