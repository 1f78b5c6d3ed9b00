// The draft "RateLimit header fields for HTTP" as the Hub speaks it: lists of items, each a quoted
// name with parameters. The name is that of the bucket; the Hub puts the kind of window before it
// in RateLimit-Policy.
#include "daemon/hub/quota.hpp"

#include "daemon/hub/header_fields.hpp"
#include "daemon/hub/text.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <tuple>

namespace wharf::hub {

namespace {

using std::chrono::seconds;
using SystemTime = std::chrono::system_clock::time_point;

constexpr seconds longest_wait{3600};

/// Above this a number means "no limit" to us.
constexpr std::uint64_t most_requests = 1'000'000'000;

seconds capped(std::uint64_t count) noexcept {
    return seconds{std::min<std::uint64_t>(count, longest_wait.count())};
}

/// Takes the part before the next `separator` off the front, without the gaps around it.
std::string_view take_part(std::string_view& text, char separator) noexcept {
    const std::size_t end = std::min(text.find(separator), text.size());
    const std::string_view part = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    return part;
}

/// The value of the parameter "name=digits" of an item.
std::optional<std::uint64_t> parameter(std::string_view item, std::string_view name) noexcept {
    while (!item.empty()) {
        const std::string_view part = take_part(item, ';');
        if (part.starts_with(name) && part.substr(name.size()).starts_with('=')) {
            return parse_number(part.substr(name.size() + 1));
        }
    }
    return std::nullopt;
}

/// Whether one of an item's parts is `name`, quotes included.
bool is_named(std::string_view item, std::string_view name) noexcept {
    while (!item.empty()) {
        if (take_part(item, ';') == name) {
            return true;
        }
    }
    return false;
}

/// Adds what is said of the quota of the bucket `name`.
void add_policy(const net::Headers& headers, std::string_view name, QuotaLeft& left) {
    for (std::string_view field : headers.all("RateLimit-Policy")) {
        while (!field.empty()) {
            const std::string_view item = take_part(field, ',');
            const auto quota = parameter(item, "q");
            if (quota && is_named(item, name)) {
                const auto window = parameter(item, "w");
                left.quota = std::min(*quota, most_requests);
                left.window = window ? std::optional{capped(*window)} : std::nullopt;
                return;
            }
        }
    }
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
        return capped(*count);
    }
    const auto date = parse_date(value);
    if (!date) {
        return std::nullopt;
    }
    return std::clamp(*date - std::chrono::floor<seconds>(now), seconds{0}, longest_wait);
}

} // namespace

std::optional<QuotaLeft> quota_left(const net::Headers& headers) {
    std::optional<QuotaLeft> tightest;
    std::string_view name;
    for (std::string_view field : headers.all("RateLimit")) {
        while (!field.empty()) {
            std::string_view item = take_part(field, ',');
            const auto requests = parameter(item, "r");
            const auto reset = parameter(item, "t");
            if (!requests || !reset) {
                continue;
            }
            const QuotaLeft left{std::min(*requests, most_requests), capped(*reset), {}, {}};
            // Of two that are as tight, the one that lasts longer.
            if (!tightest || std::tuple{left.requests, -left.reset} <
                                 std::tuple{tightest->requests, -tightest->reset}) {
                tightest = left;
                name = take_part(item, ';');
            }
        }
    }
    if (tightest) {
        add_policy(headers, name, *tightest);
    }
    return tightest;
}

QuotaNews quota_news(std::string host, Account account, unsigned status,
                     const net::Headers& headers) {
    const bool refused = status == 429;
    return {.host = std::move(host),
            .account = std::move(account),
            .at = BootClock::now(),
            .refused = refused,
            .left = quota_left(headers),
            .wait = refused ? wait_asked(headers, std::chrono::system_clock::now()) : std::nullopt};
}

std::optional<seconds> wait_asked(const net::Headers& headers, SystemTime now) {
    if (const auto left = quota_left(headers); left && left->requests == 0) {
        return left->reset;
    }
    const auto field = headers.find("Retry-After");
    return field ? retry_after(trimmed(*field), now) : std::nullopt;
}

} // namespace wharf::hub
