#pragma once

#include "daemon/access/vault.hpp"
#include "daemon/jobs/uploads.hpp"
#include "daemon/net/url.hpp"
#include "daemon/service/dispatcher.hpp"

namespace wharf::service {

/// What the calls about uploads need of the rest of the daemon.
struct UploadCallContext {
    jobs::Uploads& uploads;
    jobs::JobTable& jobs;
    const access::Vault& vault;
    net::Url endpoint; ///< the Hub's, for the addresses of commits
};

/// org.wharf.Uploads. Requires: all that the context refers to outlives the dispatcher.
void add_upload_calls(Dispatcher& dispatcher, UploadCallContext context);

} // namespace wharf::service
