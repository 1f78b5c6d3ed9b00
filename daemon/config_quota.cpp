#include "daemon/config_limits.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace wharf::config {

namespace {

using access::QuotaRules;

/// The keys are the same in [quota] and in each table below it, and so are their bounds.
class QuotaReader {
  public:
    explicit QuotaReader(std::vector<Fault>& faults) : faults_{faults} {}

    void read(const Table& table, Config& config) {
        for (const auto& entry : table.entries) {
            if (entry.name == "user" || entry.name == "group") {
                auto& rules = config.quota;
                read_members(entry, entry.name == "user" ? rules.users : rules.groups);
            } else {
                read_key(entry, "quota", config);
            }
        }
    }

  private:
    /// The tables below `user` or `group`.
    void read_members(const Table::Entry& kind, std::map<std::string, QuotaRules::Entry>& into) {
        const auto table = fmt::format("quota.{}", kind.name);
        if (kind.tables.size() != 1 || kind.list) {
            add(kind, "\"{}\" must be a table: write [{}.NAME] above its quota", kind.name, table);
            return;
        }
        for (const auto& member : kind.tables.front().entries) {
            const auto name = fmt::format("{}.{}", table, member.name);
            if (const auto checked = check_account(member.name, kind.name); !checked) {
                add(member, "[{}] \"{}\" {}", table, member.name, checked.error().message());
            } else if (member.tables.size() != 1 || member.list) {
                add(member, "\"{}\" must be a table: write [{}] above its quota", member.name,
                    name);
            } else {
                into[member.name] = read_member(member.tables.front(), name);
            }
        }
    }

    QuotaRules::Entry read_member(const Table& table, std::string_view name) {
        QuotaRules::Entry read;
        for (const auto& entry : table.entries) {
            Config config; // each key is put where [quota] has it, and taken from there
            if (!read_key(entry, name, config)) {
                continue;
            }
            if (entry.name == "bytes") {
                read.bytes = config.quota.bytes;
            } else if (entry.name == "running_jobs") {
                read.running_jobs = config.quota.running_jobs;
            } else if (entry.name == "queued_jobs") {
                read.queued_jobs = config.quota.queued_jobs;
            } else {
                read.staging = config.quota.staging;
            }
        }
        return read;
    }

    bool read_key(const Table::Entry& entry, std::string_view table, Config& config) {
        static constexpr std::array<std::string_view, 6> known{
            "bytes", "running_jobs", "queued_jobs", "staging", "user", "group"};
        const Key* key = find_key("quota", entry.name);
        if (key == nullptr) {
            const auto names = std::span{known}.first(table == "quota" ? known.size() : 4);
            add(entry, "unknown key \"{}\" in [{}]; did you mean \"{}\"?", entry.name, table,
                nearest(entry.name, names));
            return false;
        }
        const auto done = assign(*key, config, entry.value, {});
        if (!done) {
            add(entry, "[{}] {}: {}", table, entry.name, done.error().message());
        }
        return done.has_value();
    }

    template <typename... Args>
    void add(const Table::Entry& entry, fmt::format_string<Args...> format, Args&&... args) {
        faults_.push_back({entry.line, fmt::format(format, std::forward<Args>(args)...)});
    }

    std::vector<Fault>& faults_;
};

} // namespace

void read_quota(const Table& table, Config& config, std::vector<Fault>& faults) {
    QuotaReader{faults}.read(table, config);
}

} // namespace wharf::config
