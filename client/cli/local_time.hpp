#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

/// Times of messages for people: theirs are RFC 3339, ours the local time zone's.
namespace wharf::cli {

using TimePoint = std::chrono::sys_seconds;

/// Reads an RFC 3339 time ("2026-05-01T03:00:00Z", "…:00.25+02:00"); fractions of a second are
/// dropped. Nothing when it is none.
std::optional<TimePoint> parse_time(std::string_view text);

/// "15:04:05" when that is today, else "2026-05-01 15:04". Text that is no time stays as it is.
std::string short_time(std::string_view text, TimePoint now);

/// "2026-05-01 15:04:05". Text that is no time stays as it is.
std::string full_time(std::string_view text);

/// The time now.
TimePoint current_time();

} // namespace wharf::cli
