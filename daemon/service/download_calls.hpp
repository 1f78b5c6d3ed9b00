#pragma once

#include "daemon/access/audit.hpp"
#include "daemon/access/quota.hpp"
#include "daemon/access/vault.hpp"
#include "daemon/jobs/downloads.hpp"
#include "daemon/service/dispatcher.hpp"

namespace wharf::service {

/// What the calls about downloads need of the rest of the daemon.
struct DownloadCallContext {
    jobs::Downloads& downloads;
    const access::Vault& vault;
    access::Quotas& quotas;
    access::Audit& audit;
};

/// org.wharf.Downloads. Requires: all that the context refers to outlives the dispatcher.
void add_download_calls(Dispatcher& dispatcher, DownloadCallContext context);

} // namespace wharf::service
