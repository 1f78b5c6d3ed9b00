#include "base/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <utility>

namespace wharf {

namespace {

using Scale = std::pair<std::string_view, std::uint64_t>;

/// Splits "10m" into 10 and the factor of "m"; the product must fit. `text` is quoted in errors.
template <std::size_t N>
Result<std::uint64_t> parse_scaled(std::string_view text, const std::array<Scale, N>& scales,
                                   std::string_view expected) {
    std::uint64_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit{end, static_cast<std::size_t>(text.data() + text.size() - end)};
    if (ec == std::errc{}) {
        for (const auto& [suffix, factor] : scales) {
            if (unit == suffix && number <= std::numeric_limits<std::int64_t>::max() / factor) {
                return number * factor;
            }
        }
    }
    return Error{ErrorKind::invalid_request,
                 fmt::format("'{}' is not {}", text.substr(0, 40), expected)};
}

} // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
    static constexpr std::array<Scale, 10> scales{{{"", 1},
                                                   {"B", 1},
                                                   {"KB", 1'000},
                                                   {"MB", 1'000'000},
                                                   {"GB", 1'000'000'000},
                                                   {"TB", 1'000'000'000'000},
                                                   {"KiB", 1ULL << 10},
                                                   {"MiB", 1ULL << 20},
                                                   {"GiB", 1ULL << 30},
                                                   {"TiB", 1ULL << 40}}};
    return parse_scaled(text, scales, "a size such as \"64MiB\" or \"2GB\"");
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    static constexpr std::array<Scale, 5> scales{
        {{"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
    const auto parsed = parse_scaled(text, scales, "a duration such as \"10s\" or \"5m\"");
    if (!parsed) {
        return parsed.error();
    }
    return std::chrono::milliseconds{static_cast<std::int64_t>(*parsed)};
}

std::string format_size(std::uint64_t bytes) {
    static constexpr std::array<std::string_view, 5> units{"KB", "MB", "GB", "TB", "PB"};
    if (bytes < 1000) {
        return fmt::format("{} B", bytes);
    }
    double value = static_cast<double>(bytes) / 1000;
    std::size_t unit = 0;
    while (value >= 999.95 && unit + 1 < units.size()) {
        value /= 1000;
        ++unit;
    }
    return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string format_duration(std::chrono::seconds duration) {
    const auto total = duration.count() < 0 ? 0 : duration.count();
    if (total < 60) {
        return fmt::format("{}s", total);
    }
    if (total < 3600) {
        return fmt::format("{}m {:02}s", total / 60, total % 60);
    }
    return fmt::format("{}h {:02}m", total / 3600, total % 3600 / 60);
}

} // namespace wharf
