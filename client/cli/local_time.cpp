#include "client/cli/local_time.hpp"

#include <fmt/format.h>

#include <charconv>
#include <ctime>

namespace wharf::cli {

namespace {

/// Takes a text apart from its beginning; once something did not fit, nothing does.
class Scanner {
  public:
    explicit Scanner(std::string_view text) : rest_{text} {}

    int number(std::size_t digits) {
        int value = 0;
        const char* end = rest_.data() + std::min(digits, rest_.size());
        const auto [stop, error] = std::from_chars(rest_.data(), end, value);
        const bool whole = rest_.size() >= digits && stop == end && error == std::errc{};
        good_ = good_ && whole && rest_.front() != '-';
        rest_.remove_prefix(good_ ? digits : rest_.size());
        return value;
    }

    /// The next character when it is one of these, else 0.
    char any_of(std::string_view expected) {
        const bool found = !rest_.empty() && expected.find(rest_.front()) != expected.npos;
        const char c = found ? rest_.front() : '\0';
        rest_.remove_prefix(found ? 1 : 0);
        return c;
    }

    void need(std::string_view expected) { good_ = any_of(expected) != '\0' && good_; }

    bool is_done() const noexcept { return good_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool good_ = true;
};

std::chrono::seconds scan_zone(Scanner& scanner) {
    const char sign = scanner.any_of("Zz+-");
    if (sign != '+' && sign != '-') {
        if (sign == '\0') {
            scanner.need("Z");
        }
        return {};
    }
    const std::chrono::hours hours{scanner.number(2)};
    scanner.need(":");
    const std::chrono::minutes minutes{scanner.number(2)};
    return sign == '+' ? hours + minutes : -(hours + minutes);
}

std::tm local(TimePoint time) {
    const std::time_t seconds = time.time_since_epoch().count();
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    return parts;
}

bool is_same_day(const std::tm& one, const std::tm& other) {
    return one.tm_year == other.tm_year && one.tm_yday == other.tm_yday;
}

std::string date(const std::tm& parts) {
    return fmt::format("{:04}-{:02}-{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday);
}

} // namespace

std::optional<TimePoint> parse_time(std::string_view text) {
    Scanner scanner{text};
    const std::chrono::year year{scanner.number(4)};
    scanner.need("-");
    const std::chrono::month month{static_cast<unsigned>(scanner.number(2))};
    scanner.need("-");
    const std::chrono::day day{static_cast<unsigned>(scanner.number(2))};
    scanner.need("Tt ");
    const std::chrono::hours hours{scanner.number(2)};
    scanner.need(":");
    const std::chrono::minutes minutes{scanner.number(2)};
    scanner.need(":");
    const std::chrono::seconds seconds{scanner.number(2)};
    if (scanner.any_of(".") != '\0') {
        scanner.need("0123456789");
        while (scanner.any_of("0123456789") != '\0') {
        }
    }
    const std::chrono::seconds zone = scan_zone(scanner);
    const std::chrono::year_month_day date{year, month, day};
    if (!scanner.is_done() || !date.ok()) {
        return std::nullopt;
    }
    return std::chrono::sys_days{date} + hours + minutes + seconds - zone;
}

std::string short_time(std::string_view text, TimePoint now) {
    const auto time = parse_time(text);
    if (!time) {
        return std::string{text};
    }
    const std::tm parts = local(*time);
    return is_same_day(parts, local(now))
               ? fmt::format("{:02}:{:02}:{:02}", parts.tm_hour, parts.tm_min, parts.tm_sec)
               : fmt::format("{} {:02}:{:02}", date(parts), parts.tm_hour, parts.tm_min);
}

std::string full_time(std::string_view text) {
    const auto time = parse_time(text);
    if (!time) {
        return std::string{text};
    }
    const std::tm parts = local(*time);
    return fmt::format("{} {:02}:{:02}:{:02}", date(parts), parts.tm_hour, parts.tm_min,
                       parts.tm_sec);
}

TimePoint current_time() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

} // namespace wharf::cli
