#include "daemon/config_limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <utility>

namespace wharf::config {

namespace {

using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, scheduling::priorities> classes{"interactive", "normal",
                                                                       "background"};
/// The key of each direction; the same for all, for a class, for a user and in a period.
struct RateKey {
    std::string_view name;
    Rates TwoWayRates::* rates;
};
constexpr std::array rate_keys{RateKey{"download_rate", &TwoWayRates::download},
                               RateKey{"upload_rate", &TwoWayRates::upload}};

const RateKey* find_rate_key(std::string_view name) {
    const auto* found = std::ranges::find(rate_keys, name, &RateKey::name);
    return found == rate_keys.end() ? nullptr : found;
}

constexpr std::array<std::string_view, 7> weekdays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

Error invalid(std::string message) {
    return Error{ErrorKind::invalid_request, std::move(message)};
}

std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    return text.substr(0, text.find_last_not_of(' ') + 1);
}

/// 0 is Monday.
std::optional<std::size_t> weekday(std::string_view text) {
    const auto found = std::ranges::find(weekdays, trimmed(text));
    return found == weekdays.end()
               ? std::nullopt
               : std::optional{static_cast<std::size_t>(found - weekdays.begin())};
}

/// "mon-fri", "sat,sun", "fri-mon".
Result<std::bitset<7>> parse_days(const Value& value) {
    const auto* text = std::get_if<std::string>(&value);
    std::string_view rest = text ? std::string_view{*text} : std::string_view{};
    std::bitset<7> days;
    for (bool more = true; more;) {
        const auto comma = rest.find(',');
        const auto range = rest.substr(0, comma);
        const auto dash = range.find('-');
        const auto first = weekday(range.substr(0, dash));
        const auto last = dash == range.npos ? first : weekday(range.substr(dash + 1));
        if (!first || !last) {
            return invalid("must name days in quotes, such as \"mon-fri\" or \"sat,sun\"");
        }
        for (std::size_t day = *first; day != *last; day = (day + 1) % 7) {
            days.set(day);
        }
        days.set(*last);
        more = comma != rest.npos;
        rest.remove_prefix(more ? comma + 1 : rest.size());
    }
    return days;
}

/// "00:00" to "24:00".
Result<std::chrono::minutes> parse_time(const Value& value) {
    const auto* text = std::get_if<std::string>(&value);
    if (text && text->size() == 5 && (*text)[2] == ':') {
        unsigned hour = 0;
        unsigned minute = 0;
        const char* begin = text->data();
        const bool numbers = std::from_chars(begin, begin + 2, hour).ptr == begin + 2 &&
                             std::from_chars(begin + 3, begin + 5, minute).ptr == begin + 5;
        if (numbers && minute < 60 && hour * 60 + minute <= 24 * 60) {
            return std::chrono::minutes{hour * 60 + minute};
        }
    }
    return invalid("must be a time of day in quotes, such as \"08:00\"");
}

class LimitsReader {
  public:
    explicit LimitsReader(std::vector<Fault>& faults) : faults_{faults} {}

    void read(const Table& table, Limits& limits) {
        static constexpr std::array<std::string_view, 5> known{"download_rate", "upload_rate",
                                                               "class", "user", "schedule"};
        for (const auto& entry : table.entries) {
            if (read_rate_entry(entry, "limits", limits.always)) {
                continue;
            }
            if (entry.name != "schedule") {
                refuse(entry, "[limits]", known);
            } else if (!entry.list) {
                add(entry, "\"schedule\" must be a list: write [[limits.schedule]] above each");
            } else {
                for (const auto& period : entry.tables) {
                    limits.schedule.push_back(read_period(period));
                }
            }
        }
    }

  private:
    LimitsPeriod read_period(const Table& table) {
        static constexpr std::string_view name = "[[limits.schedule]]";
        static constexpr std::array<std::string_view, 7> known{
            "days", "from", "to", "download_rate", "upload_rate", "class", "user"};
        LimitsPeriod period;
        const auto faults_before = faults_.size();
        for (const auto& entry : table.entries) {
            if (entry.name == "days") {
                take(entry, name, parse_days(entry.value), period.days);
            } else if (entry.name == "from" || entry.name == "to") {
                take(entry, name, parse_time(entry.value),
                     entry.name == "from" ? period.from : period.to);
            } else if (!read_rate_entry(entry, "limits.schedule", period.rates)) {
                refuse(entry, name, known);
            }
        }
        if (period.rates == TwoWayRates{} && faults_.size() == faults_before) {
            add(table.line, "[[limits.schedule]] sets no rate");
        }
        if (period.from == period.to) {
            add(table.line, "[[limits.schedule]] ends when it begins; leave from and to out for "
                            "the whole day");
        }
        return period;
    }

    /// Reads what is the same always and in a period; false for anything else.
    bool read_rate_entry(const Table::Entry& entry, std::string_view table, TwoWayRates& rates) {
        if (const auto* key = find_rate_key(entry.name)) {
            take(entry, fmt::format("[{}]", table), parse_rate(entry.value),
                 (rates.*key->rates).all);
        } else if (entry.name == "class") {
            read_classes(entry, fmt::format("{}.class", table), rates);
        } else if (entry.name == "user") {
            read_users(entry, fmt::format("{}.user", table), rates);
        } else {
            return false;
        }
        return true;
    }

    void read_classes(const Table::Entry& entry, std::string_view table, TwoWayRates& rates) {
        for (const auto& member : members(entry, table)) {
            const auto* found = std::ranges::find(classes, member.name);
            if (found == classes.end()) {
                add(member, "unknown class \"{}\" in [{}]; did you mean \"{}\"?", member.name,
                    table, nearest(member.name, classes));
                continue;
            }
            const auto place = static_cast<std::size_t>(found - classes.begin());
            read_rates(member, table, [&](const RateKey& key, std::uint64_t rate) {
                (rates.*key.rates).by_class[place] = rate;
            });
        }
    }

    void read_users(const Table::Entry& entry, std::string_view table, TwoWayRates& rates) {
        for (const auto& member : members(entry, table)) {
            if (const auto checked = check_account(member.name, "user"); !checked) {
                add(member, "[{}] \"{}\" {}", table, member.name, checked.error().message());
                continue;
            }
            read_rates(member, table, [&](const RateKey& key, std::uint64_t rate) {
                (rates.*key.rates).by_user[member.name] = rate;
            });
        }
    }

    /// The tables below `class` or `user`.
    const std::vector<Table::Entry>& members(const Table::Entry& entry, std::string_view table) {
        static const std::vector<Table::Entry> none;
        if (entry.tables.size() != 1 || entry.list) {
            add(entry, "\"{}\" must be a table: write [{}.NAME] above its rates", entry.name,
                table);
            return none;
        }
        return entry.tables.front().entries;
    }

    /// The keys of a class or a user in `table`.
    template <typename Put>
    void read_rates(const Table::Entry& member, std::string_view table, Put put) {
        static constexpr std::array<std::string_view, 2> known{"download_rate", "upload_rate"};
        const auto name = fmt::format("{}.{}", table, member.name);
        if (member.tables.size() != 1 || member.list) {
            add(member, "\"{}\" must be a table: write [{}] above its rates", member.name, name);
            return;
        }
        for (const auto& entry : member.tables.front().entries) {
            if (const auto* key = find_rate_key(entry.name)) {
                std::optional<std::uint64_t> rate;
                take(entry, fmt::format("[{}]", name), parse_rate(entry.value), rate);
                if (rate) {
                    put(*key, *rate);
                }
            } else {
                refuse(entry, fmt::format("[{}]", name), known);
            }
        }
    }

    template <typename T, typename Place>
    void take(const Table::Entry& entry, std::string_view table, const Result<T>& value,
              Place& place) {
        if (value) {
            place = *value;
        } else {
            add(entry, "{} {}: {}", table, entry.name, value.error().message());
        }
    }

    void refuse(const Table::Entry& entry, std::string_view table, Names known) {
        add(entry, "unknown key \"{}\" in {}; did you mean \"{}\"?", entry.name, table,
            nearest(entry.name, known));
    }

    template <typename... Args>
    void add(const Table::Entry& entry, fmt::format_string<Args...> format, Args&&... args) {
        add(entry.line, fmt::format(format, std::forward<Args>(args)...));
    }
    void add(std::uint32_t line, std::string message) {
        faults_.push_back({line, std::move(message)});
    }

    std::vector<Fault>& faults_;
};

} // namespace

Result<void> check_account(std::string_view name, std::string_view kind) {
    const auto odd = [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) || c == ' '; };
    if (name.empty() || name.find_first_of(":/") != std::string_view::npos ||
        std::ranges::any_of(name, odd)) {
        return invalid(fmt::format("is not the name of a {}", kind));
    }
    if (name.find_first_not_of("0123456789") == std::string_view::npos) {
        uid_t number = 0;
        const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
        if (parsed.ec != std::errc{} || number == static_cast<uid_t>(-1)) {
            return invalid(fmt::format("is not the number of a {}", kind));
        }
    }
    return {};
}

void read_limits(const Table& table, Limits& limits, std::vector<Fault>& faults) {
    LimitsReader{faults}.read(table, limits);
}

} // namespace wharf::config
