#pragma once

#include "client/cli/options.hpp"
#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf jobs ls`, newest first. With --quiet the numbers only.
void run_jobs_list(const JobsListCommand& command, const Session& session);

/// `wharf jobs show ID`.
void run_jobs_show(const JobsShowCommand& command, const Session& session);

/// `wharf jobs cancel ID`. A job that has ended already is no failure.
void run_jobs_cancel(const JobsCancelCommand& command, const Session& session);

} // namespace wharf::cli
