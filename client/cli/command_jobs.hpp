#pragma once

#include "client/cli/options.hpp"
#include "client/cli/session.hpp"
#include "protocol/error_names.hpp"

namespace wharf::cli {

/// `wharf jobs ls`, newest first. With --quiet the numbers only.
void run_jobs_list(const JobsListCommand& command, const Session& session);

/// `wharf jobs show ID`.
void run_jobs_show(const JobsShowCommand& command, const Session& session);

/// `wharf jobs pause`, `resume`, `cancel`, `retry` and `prioritize`: does it to one job after the
/// other, says what cannot be done and goes on. Returns the first failure's code.
protocol::ExitCode run_jobs_act(const JobsActCommand& command, const Session& session);

} // namespace wharf::cli
