#pragma once

#include "daemon/jobs/job_table.hpp"
#include "daemon/net/url.hpp"
#include "daemon/service/dispatcher.hpp"

namespace wharf::service {

/// What the calls about jobs need of the rest of the daemon.
struct JobCallContext {
    jobs::JobTable& jobs;
    net::Url endpoint; ///< the Hub's, for the addresses of commits
};

/// Adds the methods of org.wharf.Jobs. Requires: all referred to outlives the dispatcher.
void add_job_calls(Dispatcher& dispatcher, JobCallContext context);

} // namespace wharf::service
