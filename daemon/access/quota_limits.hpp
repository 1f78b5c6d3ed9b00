#pragma once

#include "daemon/access/account.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>

namespace wharf::access {

/// What one account may have at one time. None: as much as it likes.
struct QuotaLimits {
    std::optional<std::uint64_t> bytes; ///< of cached files, its share of them
    std::optional<std::size_t> running_jobs;
    std::optional<std::size_t> queued_jobs;
    std::optional<std::uint64_t> staging = {}; ///< bytes of files that wait to be pushed
    bool operator==(const QuotaLimits&) const = default;
};

/// What [quota] says. 0 is "as much as it likes" everywhere.
struct QuotaRules {
    /// Of a user or a group; none says nothing, so that what holds otherwise stays.
    struct Entry {
        std::optional<std::uint64_t> bytes;
        std::optional<unsigned> running_jobs;
        std::optional<unsigned> queued_jobs;
        std::optional<std::uint64_t> staging = {};
        bool operator==(const Entry&) const = default;
    };
    std::uint64_t bytes = 0;
    unsigned running_jobs = 0;
    unsigned queued_jobs = 0;
    std::uint64_t staging = 0;
    std::map<std::string, Entry> users;  ///< by name or number
    std::map<std::string, Entry> groups; ///< by name or number
    bool operator==(const QuotaRules&) const = default;
};

/// What holds for an account, each limit by itself: the account's own entry decides; else the most
/// generous of its groups; else what holds for everybody. Root and the account that runs the daemon
/// (`owner`) are held by entries of their own only: what they bring is meant for all. Pure.
QuotaLimits limits_for(const QuotaRules& rules, const Account& account, uid_t owner);

} // namespace wharf::access
