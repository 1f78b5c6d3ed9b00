#include "base/units.hpp"
#include "daemon/config_keys.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

// How values of each kind are checked, kept and written.

namespace wharf::config {

namespace {

using std::chrono::milliseconds;

Error invalid(std::string message) {
    return Error{ErrorKind::invalid_request, std::move(message)};
}

constexpr std::array<std::string_view, 4> levels{"debug", "info", "warning", "error"};
constexpr std::array<std::string_view, 3> scopes{"restricted", "all", "none"};

/// "10s" rather than "10000ms": the largest unit that divides it.
std::string duration_text(milliseconds value) {
    constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> scales{
        {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1'000}, {"ms", 1}}};
    for (const auto& [unit, factor] : scales) {
        if (value.count() != 0 && value.count() % factor == 0) {
            return fmt::format("{}{}", value.count() / factor, unit);
        }
    }
    return "0s";
}

std::string size_text(std::uint64_t value) {
    constexpr std::array<std::pair<std::string_view, unsigned>, 4> scales{
        {{"TiB", 40}, {"GiB", 30}, {"MiB", 20}, {"KiB", 10}}};
    for (const auto& [unit, shift] : scales) {
        if (value != 0 && value % (1ULL << shift) == 0) {
            return fmt::format("{}{}", value >> shift, unit);
        }
    }
    return value == 0 ? "0" : fmt::format("{}B", value);
}

/// As TOML writes it; in messages, too, so that none has a control character.
std::string in_quotes(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x20 || byte == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
            continue;
        }
        if (c == '"' || c == '\\') {
            out.push_back('\\');
        }
        out.push_back(c);
    }
    return out + '"';
}

Result<std::uint64_t> size_in(const Value& value) {
    const auto* text = std::get_if<std::string>(&value);
    return text ? parse_size(*text) : invalid("must be a size in quotes, such as \"64MiB\"");
}

/// What no account's name can have: a name that is empty or a number below zero, blanks around it,
/// a colon (it ends a name in the system's own lists) and control characters.
bool is_account_name(std::string_view name) {
    constexpr std::size_t longest = 256; // more than any system allows
    return !name.empty() && name.size() <= longest && !name.starts_with('-') &&
           !name.starts_with(' ') && !name.ends_with(' ') &&
           std::ranges::none_of(name, [](unsigned char c) { return c < ' ' || c == ':'; });
}

/// Puts one value into one kind of field. A missing overload would not compile.
struct Assign {
    Config& config;
    const Value& value;
    const Home& home;

    Result<void> operator()(const PathField& field) const {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) {
            return invalid("must be a path in quotes");
        }
        if (text->empty() && field.may_be_empty) {
            field.member(config).clear();
            return {};
        }
        std::filesystem::path path = *text;
        if (home && (*text == "~" || text->starts_with("~/"))) {
            path = *home / text->substr(std::min<std::size_t>(2, text->size()));
        }
        if (!path.is_absolute() || text->find('\0') != std::string::npos) {
            return invalid(fmt::format("must be an absolute path, not {}", in_quotes(*text)));
        }
        path = path.lexically_normal();
        if (path.native().size() > field.longest) {
            return invalid(fmt::format("must have at most {} bytes", field.longest));
        }
        field.member(config) = std::move(path);
        return {};
    }

    Result<void> operator()(const DurationField& field) const {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) {
            return invalid("must be a duration in quotes, such as \"10s\"");
        }
        return bounded(parse_duration(*text), field, duration_text);
    }

    Result<void> operator()(const SizeField& field) const {
        return bounded(size_in(value), field, size_text);
    }

    Result<void> operator()(const AutoSizeField& field) const {
        if (const auto* text = std::get_if<std::string>(&value); text && *text == "auto") {
            field.member(config).reset();
            return {};
        }
        return bounded(size_in(value), field, size_text);
    }

    Result<void> operator()(const RateField& field) const {
        const auto rate = parse_rate(value);
        if (!rate) {
            return rate.error();
        }
        field.member(config) = *rate;
        return {};
    }

    Result<void> operator()(const CountField& field) const {
        const auto* number = std::get_if<std::int64_t>(&value);
        if (number == nullptr) {
            return invalid("must be a whole number without quotes");
        }
        if (*number < field.least || *number > field.most) {
            return invalid(fmt::format("must be between {} and {}", field.least, field.most));
        }
        field.member(config) = static_cast<unsigned>(*number);
        return {};
    }

    Result<void> operator()(const FlagField& field) const {
        const auto* flag = std::get_if<bool>(&value);
        if (flag == nullptr) {
            return invalid("must be true or false, without quotes");
        }
        field.member(config) = *flag;
        return {};
    }

    Result<void> operator()(const LevelField& field) const {
        const auto* text = std::get_if<std::string>(&value);
        const auto* found = text ? std::ranges::find(levels, *text) : levels.end();
        if (found == levels.end()) {
            return invalid("must be \"debug\", \"info\", \"warning\" or \"error\"");
        }
        field.member(config) = static_cast<log::Level>(found - levels.begin());
        return {};
    }

    Result<void> operator()(const ScopeField& field) const {
        const auto* text = std::get_if<std::string>(&value);
        const auto* found = text ? std::ranges::find(scopes, *text) : scopes.end();
        if (found == scopes.end()) {
            return invalid("must be \"restricted\", \"all\" or \"none\"");
        }
        field.member(config) = static_cast<access::AuditScope>(found - scopes.begin());
        return {};
    }

    Result<void> operator()(const TextField& field) const {
        const auto* text = std::get_if<std::string>(&value);
        if (text == nullptr) {
            return invalid("must be a text in quotes");
        }
        auto kept = field.check(*text);
        if (!kept) {
            return kept.error();
        }
        field.member(config) = std::move(*kept);
        return {};
    }

    Result<void> operator()(const NamesField& field) const {
        const auto* names = std::get_if<std::vector<std::string>>(&value);
        if (names == nullptr) {
            return invalid("must be a list of names such as [\"alice\", \"bob\"]");
        }
        const auto wrong = std::ranges::find_if_not(*names, is_account_name);
        if (wrong != names->end()) {
            return invalid(fmt::format("{} is no name of an account", in_quotes(*wrong)));
        }
        field.member(config) = *names;
        return {};
    }

  private:
    template <typename T, typename Field, typename Show>
    Result<void> bounded(const Result<T>& parsed, const Field& field, Show show) const {
        if (!parsed) {
            return parsed.error();
        }
        if (*parsed < field.least || *parsed > field.most) {
            return invalid(
                fmt::format("must be between {} and {}", show(field.least), show(field.most)));
        }
        field.member(config) = *parsed;
        return {};
    }
};

/// Writes one kind of field. The accessors hand out references to change; nothing is changed here.
struct Literal {
    Config& config;

    std::string operator()(const PathField& f) const {
        return in_quotes(f.member(config).native());
    }
    std::string operator()(const DurationField& f) const {
        return in_quotes(duration_text(f.member(config)));
    }
    std::string operator()(const SizeField& f) const {
        return in_quotes(size_text(f.member(config)));
    }
    std::string operator()(const AutoSizeField& f) const {
        const auto& size = f.member(config);
        return in_quotes(size ? size_text(*size) : "auto");
    }
    std::string operator()(const RateField& f) const {
        return in_quotes(size_text(f.member(config).value_or(0)));
    }
    std::string operator()(const CountField& f) const { return std::to_string(f.member(config)); }
    std::string operator()(const FlagField& f) const { return f.member(config) ? "true" : "false"; }
    std::string operator()(const LevelField& f) const {
        return in_quotes(levels[static_cast<std::size_t>(f.member(config))]);
    }
    std::string operator()(const ScopeField& f) const {
        return in_quotes(scopes[static_cast<std::size_t>(f.member(config))]);
    }
    std::string operator()(const TextField& f) const { return in_quotes(f.member(config)); }
    std::string operator()(const NamesField& f) const {
        std::vector<std::string> quoted;
        std::ranges::transform(f.member(config), std::back_inserter(quoted), in_quotes);
        return fmt::format("[{}]", fmt::join(quoted, ", "));
    }
};

} // namespace

Result<std::uint64_t> parse_rate(const Value& value) {
    constexpr std::uint64_t least = 16ULL << 10; // servers close connections that hardly read
    constexpr std::uint64_t most = 1ULL << 40;
    const auto rate = size_in(value);
    if (rate && *rate != 0 && (*rate < least || *rate > most)) {
        return invalid(fmt::format("must be \"0\" for no limit, or between {} and {}",
                                   size_text(least), size_text(most)));
    }
    return rate;
}

Result<void> assign(const Key& key, Config& config, const Value& value, const Home& home) {
    return std::visit(Assign{config, value, home}, key.field);
}

std::string literal(const Key& key, const Config& config) {
    Config copy = config;
    return std::visit(Literal{copy}, key.field);
}

} // namespace wharf::config
