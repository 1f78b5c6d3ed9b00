#pragma once

#include "daemon/access/known_accounts.hpp"
#include "daemon/access/quota.hpp"
#include "daemon/jobs/job_table.hpp"
#include "daemon/service/dispatcher.hpp"

#include <cstdint>
#include <functional>
#include <set>
#include <sys/types.h>

namespace wharf::service {

/// What org.wharf.Quota tells, and where it comes from.
struct QuotaSources {
    access::Quotas& quotas;
    access::KnownAccounts& accounts;
    jobs::JobTable& jobs;
    std::function<std::uint64_t(uid_t)> staged_bytes; ///< of an account
    std::function<std::set<uid_t>()> pushers;         ///< accounts that have files staged
};

/// Adds the methods of org.wharf.Quota. Requires: all referred to outlives the dispatcher.
void add_quota_calls(Dispatcher& dispatcher, QuotaSources sources);

} // namespace wharf::service
