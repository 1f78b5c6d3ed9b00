#pragma once

#include "daemon/jobs/job_table.hpp"
#include "daemon/service/dispatcher.hpp"

namespace wharf::service {

/// Adds the methods of org.wharf.Jobs. Requires: `jobs` outlives the dispatcher.
void add_job_calls(Dispatcher& dispatcher, jobs::JobTable& jobs);

} // namespace wharf::service
