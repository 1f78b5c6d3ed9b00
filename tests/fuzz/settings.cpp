// The configuration file, sizes and durations. Promises: what is accepted is the same when written
// as a file and read again; what is not names its line, and repeats no password.

#include "base/units.hpp"
#include "daemon/config_read.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <limits>
#include <map>

namespace wharf::fuzz {

namespace {

/// All keys as a file. What has no key of its own ([limits]) is left out.
std::string file_of(const Config& config) {
    std::map<std::string_view, std::string> tables;
    for (const config::Key& key : config::keys()) {
        tables[key.table] += std::string{key.name} + " = " + config::literal(key, config) + '\n';
    }
    std::string text;
    for (const auto& [name, lines] : tables) {
        text += '[' + std::string{name} + "]\n" + lines;
    }
    return text;
}

void check_units(std::string_view text) {
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
    if (const auto size = parse_size(text)) {
        require(text.front() >= '0' && text.front() <= '9', "a size begins with a digit");
        require(*size <= most && !format_size(*size).empty(), "a size fits");
    }
    if (const auto duration = parse_duration(text)) {
        require(duration->count() >= 0, "no time is negative");
        require(!format_duration(std::chrono::floor<std::chrono::seconds>(*duration)).empty(),
                "a duration can be shown");
    }
}

void check_file(std::string_view text) {
    const auto config = config::read_text(text, "f", Config{}, std::nullopt);
    if (!config) {
        const Error error = config.error();
        std::string_view message = error.message();
        require(take_until(message, ':') == "f", "a mistake's file is named");
        const auto line = take_until(message, ':');
        require(!line.empty() && line.find_first_not_of("0123456789") == line.npos,
                "a mistake's line is named");
        return;
    }
    const std::string written = file_of(*config);
    const auto again = config::read_text(written, "f", Config{}, std::nullopt);
    require(again && file_of(*again) == written,
            "a configuration is the same when written and read again");
}

} // namespace

void run(std::string_view input) {
    check_units(input.substr(0, input.find('\n')));
    check_file(input);
}

} // namespace wharf::fuzz
