#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// Words of the command line as values. Pure.
namespace wharf::cli {

using Names = std::vector<std::string>;

/// Takes one word, and says what is wrong with it; nothing when it is in order.
using Take = std::function<std::string(const std::string& word)>;

/// A number without a sign; 18 digits at most, so that it fits.
std::optional<std::int64_t> whole_number(const std::string& text);

/// How often something is done: a number of minutes, which may have a fraction ("5", "0.5"), or a
/// duration ("90s", "5m"). From a second to a year.
std::optional<std::chrono::milliseconds> read_period(const std::string& text);

/// "a, b or c"
std::string either(const Names& words);

/// Any text.
Take text_taker(std::function<void(std::string)> take);

/// One of these words.
Take choice_taker(Names allowed, std::function<void(std::string)> take);

/// A job's number.
Take job_taker(std::function<void(std::int64_t)> take);

} // namespace wharf::cli
