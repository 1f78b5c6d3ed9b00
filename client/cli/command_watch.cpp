#include "client/cli/command_watch.hpp"

#include "client/cli/daemon.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/io.hpp"
#include "client/cli/job_wire.hpp"
#include "client/cli/text.hpp"

#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <unistd.h>

namespace wharf::cli {

namespace {

using protocol::ExitCode;

Failure interrupted(std::int64_t id) {
    return {ExitCode::interrupted, "org.wharf.client.Interrupted",
            fmt::format("stopped watching: job {} goes on as before", id),
            fmt::format("`wharf jobs watch {0}` watches it again, `wharf jobs cancel {0}` ends it",
                        id)};
}

/// What a job that failed means to whoever watched it.
Failure failure_of(const Job& job) {
    const std::string retry = fmt::format("`wharf jobs retry {}` does it once more", job.id);
    if (!job.failure) {
        return {ExitCode::failed, "org.wharf.Internal",
                fmt::format("job {} failed; the daemon does not say why", job.id), retry};
    }
    const JobFailure& failure = *job.failure;
    return {protocol::exit_code(failure.name), failure.name,
            fmt::format("job {} failed: {}", job.id, failure.message),
            failure.hint.empty() ? retry : fmt::format("{}; then {}", failure.hint, retry)};
}

/// Throws unless the job is done.
void check_done(const Job& job) {
    if (job.state == "failed") {
        throw failure_of(job);
    }
    if (job.state == "cancelled") {
        const std::string hint =
            job.is_push() ? "its files are not kept: push again what is still to be pushed"
                          : fmt::format("`wharf jobs retry {}` does it once more", job.id);
        throw Failure{ExitCode::failed, "org.wharf.Cancelled",
                      fmt::format("job {} was cancelled", job.id), hint};
    }
    if (job.state == "paused") {
        throw Failure{
            ExitCode::failed, "org.wharf.client.Paused",
            fmt::format("job {} is paused{}{}", job.id, job.reason.empty() ? "" : ": ", job.reason),
            fmt::format("`wharf jobs resume {}` goes on", job.id)};
    }
    if (job.state != "done") {
        throw Error{
            ErrorKind::protocol,
            fmt::format("the daemon ended the watching while job {} is {}", job.id, job.state)};
    }
}

/// Shows all that comes until the daemon has nothing more to say, and returns the last of it.
json::object watch(Daemon& daemon, std::int64_t id, ProgressDisplay& display) {
    json::object parameters;
    parameters["id"] = id;
    json::object last;
    try {
        daemon.stream("org.wharf.Jobs.Watch", std::move(parameters), [&](const auto& message) {
            last = message;
            const ShownJob shown = read_shown_job(message);
            if (!shown.job.has_ended() && shown.job.state != "paused") {
                display.show(progress_of(shown));
            }
        });
    } catch (const Failure&) {
        display.clear();
        if (Interrupts::requested()) {
            throw interrupted(id);
        }
        throw;
    }
    return last;
}

} // namespace

void run_jobs_watch(const JobsWatchCommand& command, const Session& session) {
    ProgressDisplay display{STDERR_FILENO, session.progress_mode(), session.screen};
    Daemon daemon{session.socket};
    const json::object last = watch(daemon, command.id, display);
    const Job job = read_shown_job(last).job;
    if (job.state != "done") {
        display.clear();
    }
    check_done(job);
    if (job.is_push()) {
        display.clear(); // the summary is about fetching
    } else {
        display.finish();
    }
    if (session.is(OutputFormat::json)) {
        print_json(last);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(printable(job.state) + "\n");
    } else {
        const std::string url = job.url ? printable(*job.url) + "\n" : "";
        print_result(fmt::format("job {} is done\n{}", job.id, url));
    }
}

} // namespace wharf::cli
