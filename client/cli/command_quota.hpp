#pragma once

#include "client/cli/options.hpp"
#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf quota`: one account, and the repos it has most of. With --quiet the bytes it has.
void run_quota_show(const QuotaShowCommand& command, const Session& session);

/// `wharf quota ls`, for administrators. With --quiet the names only.
void run_quota_list(const Session& session);

/// `wharf quota release REPO`. With --quiet the bytes.
void run_quota_release(const QuotaReleaseCommand& command, const Session& session);

} // namespace wharf::cli
