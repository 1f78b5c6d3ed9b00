#pragma once

#include "client/cli/options.hpp"
#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf jobs watch ID`: shows a job's progress until it ends. Throws Failure: the job's own when
/// it failed; also when it was cancelled or is paused, or when a signal ended the watching, which
/// changes nothing for the job.
void run_jobs_watch(const JobsWatchCommand& command, const Session& session);

} // namespace wharf::cli
