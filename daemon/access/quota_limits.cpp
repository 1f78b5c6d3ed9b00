#include "daemon/access/quota_limits.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

namespace wharf::access {

namespace {

using Entry = QuotaRules::Entry;

const Entry* entry_for(const std::map<std::string, Entry>& entries, const std::string& name) {
    const auto found = entries.find(name);
    return found == entries.end() ? nullptr : &found->second;
}

/// The entries that may decide about an account, in the order in which they do.
struct Entries {
    std::vector<const Entry*> own;
    std::vector<const Entry*> groups;
    const Entry* everybody = nullptr;
};

Entries entries_for(const QuotaRules& rules, const Account& account, uid_t owner) {
    Entries entries;
    for (const auto& name : {account.name, std::to_string(account.uid)}) {
        if (const auto* entry = entry_for(rules.users, name)) {
            entries.own.push_back(entry);
        }
    }
    if (account.uid != 0 && account.uid != owner) {
        for (const auto& group : account.groups) {
            if (const auto* entry = entry_for(rules.groups, group)) {
                entries.groups.push_back(entry);
            }
        }
        entries.everybody = &rules.everybody;
    }
    return entries;
}

/// Of what these entries say, the most generous; 0 is more than any number.
template <typename T>
std::optional<T> most_generous(const std::vector<const Entry*>& entries,
                               std::optional<T> Entry::* member) {
    std::optional<T> most;
    for (const auto* entry : entries) {
        const auto& value = entry->*member;
        if (value && (!most || *value == 0 || (*most != 0 && *value > *most))) {
            most = value;
        }
    }
    return most;
}

template <typename T>
std::optional<T> limit_for(const Entries& entries, std::optional<T> Entry::* member) {
    auto limit = most_generous(entries.own, member);
    if (!limit) {
        limit = most_generous(entries.groups, member);
    }
    if (!limit && entries.everybody != nullptr) {
        limit = entries.everybody->*member;
    }
    return limit && *limit != 0 ? limit : std::nullopt;
}

} // namespace

QuotaLimits limits_for(const QuotaRules& rules, const Account& account, uid_t owner) {
    const Entries entries = entries_for(rules, account, owner);
    return {.bytes = limit_for(entries, &Entry::bytes),
            .running_jobs = limit_for(entries, &Entry::running_jobs),
            .queued_jobs = limit_for(entries, &Entry::queued_jobs)};
}

} // namespace wharf::access
