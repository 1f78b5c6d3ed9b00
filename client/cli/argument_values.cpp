#include "client/cli/argument_values.hpp"

#include "base/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace wharf::cli {

std::optional<std::int64_t> whole_number(const std::string& text) {
    if (text.empty() || text.size() > 18 ||
        text.find_first_not_of("0123456789") != std::string::npos) {
        return std::nullopt;
    }
    std::int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

std::optional<std::chrono::milliseconds> read_period(const std::string& text) {
    using std::chrono::milliseconds;
    constexpr milliseconds shortest = std::chrono::seconds{1};
    constexpr milliseconds longest = std::chrono::days{366};
    double minutes = 0;
    const auto [end, ec] =
        std::from_chars(text.data(), text.data() + text.size(), minutes, std::chars_format::fixed);
    milliseconds period{0};
    if (ec == std::errc{} && end == text.data() + text.size()) {
        if (!(minutes >= 0 && minutes < 1e6)) { // and not a number
            return std::nullopt;
        }
        period = milliseconds{static_cast<std::int64_t>(minutes * 60'000)};
    } else {
        const auto parsed = parse_duration(text);
        period = parsed ? *parsed : period;
    }
    return period >= shortest && period <= longest ? std::optional{period} : std::nullopt;
}

std::string either(const Names& words) {
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        out += i == 0 ? "" : i + 1 == words.size() ? " or " : ", ";
        out += words[i];
    }
    return out;
}

Take job_taker(std::function<void(std::int64_t)> take) {
    return [take = std::move(take)](const std::string& value) {
        const auto id = whole_number(value);
        if (!id) {
            return fmt::format("'{}' is not a job's number", value);
        }
        take(*id);
        return std::string{};
    };
}

Take text_taker(std::function<void(std::string)> take) {
    return [take = std::move(take)](const std::string& value) {
        take(value);
        return std::string{};
    };
}

Take choice_taker(Names allowed, std::function<void(std::string)> take) {
    return [allowed = std::move(allowed), take = std::move(take)](const std::string& value) {
        if (std::ranges::find(allowed, value) == allowed.end()) {
            return fmt::format("'{}' is not {}", value, either(allowed));
        }
        take(value);
        return std::string{};
    };
}

} // namespace wharf::cli
