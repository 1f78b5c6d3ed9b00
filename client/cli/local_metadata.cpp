#include "client/cli/local_metadata.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>

namespace wharf::cli {

namespace {

std::string_view trimmed(std::string_view text) {
    static constexpr std::string_view blanks = " \t\r\v\f";
    const auto first = text.find_first_not_of(blanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::string_view next_line(std::string_view& text) {
    const auto end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return trimmed(line);
}

} // namespace

std::optional<LocalMetadata> parse_local_metadata(std::string_view text) {
    LocalMetadata metadata;
    metadata.commit = next_line(text);
    metadata.etag = next_line(text);
    const std::string_view time = next_line(text);
    double seconds = 0;
    const auto [end, ec] = std::from_chars(time.data(), time.data() + time.size(), seconds);
    if (ec != std::errc{} || end != time.data() + time.size() || !(seconds >= 0) ||
        seconds > 1e12) {
        return std::nullopt;
    }
    // A double holds today's times to about a quarter of a microsecond: rounded, not cut.
    static constexpr std::int64_t million = 1'000'000;
    const auto microseconds = static_cast<std::int64_t>(std::llround(seconds * million));
    metadata.saved.tv_sec = static_cast<time_t>(microseconds / million);
    metadata.saved.tv_nsec = static_cast<long>(microseconds % million * 1000);
    return metadata;
}

std::string format_local_metadata(const LocalMetadata& metadata) {
    return fmt::format("{}\n{}\n{}.{:06}\n", metadata.commit, metadata.etag, metadata.saved.tv_sec,
                       metadata.saved.tv_nsec / 1000);
}

bool covers(const LocalMetadata& metadata, const timespec& modified) {
    const time_t earliest = modified.tv_sec - 1;
    return earliest < metadata.saved.tv_sec ||
           (earliest == metadata.saved.tv_sec && modified.tv_nsec <= metadata.saved.tv_nsec);
}

} // namespace wharf::cli
