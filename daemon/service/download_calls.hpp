#pragma once

#include "daemon/access/audit.hpp"
#include "daemon/jobs/downloads.hpp"
#include "daemon/service/dispatcher.hpp"

#include <functional>
#include <sys/types.h>

namespace wharf::service {

/// What the calls about downloads need of the rest of the daemon.
struct DownloadCallContext {
    jobs::Downloads& downloads;
    access::Audit& audit;
    std::function<hub::Token(uid_t)> stored_token;         ///< empty if the account has none
    std::function<bool(const access::Peer&)> may_download; ///< have files fetched
};

/// org.wharf.Downloads. Requires: all that the context refers to outlives the dispatcher.
void add_download_calls(Dispatcher& dispatcher, DownloadCallContext context);

} // namespace wharf::service
