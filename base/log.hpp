#pragma once

#include <fmt/format.h>

#include <string_view>

/// One line per event: `log::info("store", "published {}", etag)`. The first word names the folder
/// that speaks. debug: steps; info: life cycle; warning: retried or healed; error: given up.
/// Never pass a token or a URL with its query.
namespace wharf::log {

enum class Level { debug, info, warning, error };

/// Chooses the least level that is written and starts writing to stderr: with "<N>" priority
/// prefixes when systemd collects it (JOURNAL_STREAM is set), with time stamps otherwise.
void start(Level least);

bool enabled(Level level) noexcept;

/// The one sink behind the templates below. Control characters are escaped: text from outside
/// cannot forge lines.
void write(Level level, std::string_view domain, std::string_view text) noexcept;

template <typename... Args>
void print(Level level, std::string_view domain, fmt::format_string<Args...> format,
           Args&&... args) noexcept {
    if (enabled(level)) {
        try {
            write(level, domain, fmt::format(format, std::forward<Args>(args)...));
        } catch (...) { // a log line that cannot be formatted must not end the work it describes
        }
    }
}

template <typename... Args>
void debug(std::string_view domain, fmt::format_string<Args...> format, Args&&... args) noexcept {
    print(Level::debug, domain, format, std::forward<Args>(args)...);
}
template <typename... Args>
void info(std::string_view domain, fmt::format_string<Args...> format, Args&&... args) noexcept {
    print(Level::info, domain, format, std::forward<Args>(args)...);
}
template <typename... Args>
void warning(std::string_view domain, fmt::format_string<Args...> format, Args&&... args) noexcept {
    print(Level::warning, domain, format, std::forward<Args>(args)...);
}
template <typename... Args>
void error(std::string_view domain, fmt::format_string<Args...> format, Args&&... args) noexcept {
    print(Level::error, domain, format, std::forward<Args>(args)...);
}

} // namespace wharf::log
