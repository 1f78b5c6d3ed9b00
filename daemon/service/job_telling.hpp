#pragma once

#include "daemon/jobs/job_table.hpp"
#include "daemon/service/call.hpp"

namespace wharf::service {

/// Waits until a job is over. A caller that asked for more is told its number, once that is
/// durable, and then how far it is. Throws what made the job fail. Requires: all outlives it.
Awaitable<> await_telling(Call& call, jobs::JobTable& table, const jobs::Watch& watch);

} // namespace wharf::service
