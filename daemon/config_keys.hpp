#pragma once

#include "daemon/config.hpp"

#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The one table of all configuration keys, and what can be done with a row of it. Pure: no file
/// is read here, and nothing knows of TOML.
namespace wharf::config {

/// A value as a configuration file gives it; a list is one of texts and whole numbers, which are
/// texts here, too. monostate stands for kinds that no key takes (fractions, dates, tables).
using Value =
    std::variant<std::monostate, std::string, std::int64_t, bool, std::vector<std::string>>;

template <typename T>
using Member = T& (*)(Config&);

/// Bounds are inclusive.
struct PathField {
    Member<std::filesystem::path> member;
    std::size_t longest = 4095; ///< PATH_MAX without its NUL
    bool may_be_empty = false;
};
struct DurationField {
    Member<std::chrono::milliseconds> member;
    std::chrono::milliseconds least;
    std::chrono::milliseconds most;
};
struct SizeField {
    Member<std::uint64_t> member;
    std::uint64_t least;
    std::uint64_t most;
};
/// A size, or "auto": as much as suits the machine.
struct AutoSizeField {
    Member<std::optional<std::uint64_t>> member;
    std::uint64_t least;
    std::uint64_t most;
};
/// Bytes per second as parse_rate() takes them.
struct RateField {
    Member<std::optional<std::uint64_t>> member;
};
struct CountField {
    Member<unsigned> member;
    unsigned least;
    unsigned most;
};
struct FlagField {
    Member<bool> member;
};
struct LevelField {
    Member<log::Level> member;
};
struct ScopeField {
    Member<access::AuditScope> member;
};
/// A text that `check` turns into the form to be kept.
struct TextField {
    Member<std::string> member;
    Result<std::string> (*check)(const std::string& text);
};
/// Names or numbers of users or groups, or "*".
struct NamesField {
    Member<std::vector<std::string>> member;
};

/// One key of the configuration file.
struct Key {
    std::string_view table;
    std::string_view name;
    bool live; ///< a running daemon takes a new value over when told to reload
    std::variant<PathField, DurationField, SizeField, AutoSizeField, RateField, CountField,
                 FlagField, LevelField, ScopeField, TextField, NamesField>
        field;
    std::string_view help; ///< one line
};

/// Where "~/" leads in paths; none in the system's own configuration, where it is refused.
using Home = std::optional<std::filesystem::path>;

/// All keys, in the order in which they are documented.
std::span<const Key> keys();

/// The key of that name, or null.
const Key* find_key(std::string_view table, std::string_view name);
bool is_table(std::string_view name);

/// The known key (in whatever table) that looks most like this one, and the table that does.
const Key& nearest_key(std::string_view table, std::string_view name);
std::string_view nearest_table(std::string_view name);

/// Of some known names the one that looks most like this one.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

/// Puts a value in its place. Errors: invalid_request saying what the value must be; passwords in
/// it are not quoted.
Result<void> assign(const Key& key, Config& config, const Value& value, const Home& home);

/// A limit in bytes per second: "0" for none, or a size that leaves connections alive. Errors as in
/// assign().
Result<std::uint64_t> parse_rate(const Value& value);

/// The value as it would be written in the file: "16MiB" (with the quotes), 32, true.
std::string literal(const Key& key, const Config& config);

} // namespace wharf::config
