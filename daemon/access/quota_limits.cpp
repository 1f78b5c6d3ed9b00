#include "daemon/access/quota_limits.hpp"

#include <string>
#include <vector>

namespace wharf::access {

namespace {

using Entry = QuotaRules::Entry;
using Entries = std::vector<const Entry*>;

void add(Entries& entries, const std::map<std::string, Entry>& from, const std::string& name) {
    if (const auto found = from.find(name); found != from.end()) {
        entries.push_back(&found->second);
    }
}

/// Of what these entries say, the most generous; 0 is more than any number.
template <typename T>
std::optional<T> most_generous(const Entries& entries, std::optional<T> Entry::* member) {
    std::optional<T> most;
    for (const auto* entry : entries) {
        const auto& value = entry->*member;
        if (value && (!most || *value == 0 || (*most != 0 && *value > *most))) {
            most = value;
        }
    }
    return most;
}

/// What applies to one account.
struct Applying {
    Entries own;
    Entries groups;
    Entry everybody;

    template <typename T>
    std::optional<T> limit(std::optional<T> Entry::* member) const {
        auto limit = most_generous(own, member);
        limit = limit ? limit : most_generous(groups, member);
        limit = limit ? limit : everybody.*member;
        return limit == T{0} ? std::nullopt : limit;
    }
};

} // namespace

QuotaLimits limits_for(const QuotaRules& rules, const Account& account, uid_t owner) {
    Applying applying;
    add(applying.own, rules.users, account.name);
    add(applying.own, rules.users, std::to_string(account.uid));
    if (account.uid != 0 && account.uid != owner) {
        for (const auto& group : account.groups) {
            add(applying.groups, rules.groups, group);
        }
        applying.everybody = {.bytes = rules.bytes,
                              .running_jobs = rules.running_jobs,
                              .queued_jobs = rules.queued_jobs,
                              .staging = rules.staging};
    }
    return {.bytes = applying.limit(&Entry::bytes),
            .running_jobs = applying.limit(&Entry::running_jobs),
            .queued_jobs = applying.limit(&Entry::queued_jobs),
            .staging = applying.limit(&Entry::staging)};
}

} // namespace wharf::access
