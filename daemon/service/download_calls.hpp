#pragma once

#include "daemon/access/vault.hpp"
#include "daemon/jobs/downloads.hpp"
#include "daemon/service/dispatcher.hpp"

namespace wharf::service {

/// Adds the methods of org.wharf.Downloads. Requires: what is referred to outlives the dispatcher.
void add_download_calls(Dispatcher& dispatcher, jobs::Downloads& downloads,
                        const access::Vault& vault);

} // namespace wharf::service
