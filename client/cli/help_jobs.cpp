#include "client/cli/help_groups.hpp"

namespace wharf::cli {

namespace {

constexpr std::string_view group_help = R"help(Usage: wharf jobs COMMAND [OPTIONS]

Jobs are what was asked of the daemon, running and past. People see their own.

Commands:
  ls                     list jobs; also: list
  show ID                show one job with the files it has in the air
  watch ID               show its progress until it ends
  pause ID...            stop jobs; what was done stays
  resume ID...           go on with paused jobs, start waiting ones at once
  cancel ID...           end jobs for everybody who waits for them
  retry ID...            do failed or cancelled jobs once more
  prioritize ID... CLASS
                         schedule jobs as interactive, normal or background

Options:
  -h, --help             show this help; also behind each command

Examples:
  wharf jobs ls --all
  wharf jobs watch 12
  wharf jobs prioritize 12 13 background
)help";

constexpr std::string_view ls_help = R"help(Usage: wharf jobs ls [OPTIONS]

Lists your jobs that have not ended, newest first. A detached job runs without a
command that waits for it. On a terminal, columns are left out where room is short.

Options:
  -a, --all         also those that have ended
  -u, --all-users   those of everybody, for administrators
  --limit N         only the N newest
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Jobs.List gives it; times in UTC
  -q, --quiet       print only their numbers
  -h, --help        show this help

Exit codes: 0 done, 4 not an administrator, 8 daemon not reachable, 1 anything else.

Example:
  wharf jobs ls --all --limit 20
)help";

constexpr std::string_view show_help = R"help(Usage: wharf jobs show [OPTIONS] ID

Shows one job with the files it has in the air.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Jobs.Show gives it
  -q, --quiet       print only its state
  -h, --help        show this help

Exit codes: 0 done, 3 no such job, 8 daemon not reachable, 1 anything else.

Example:
  wharf jobs show 12
)help";

constexpr std::string_view watch_help = R"help(Usage: wharf jobs watch [OPTIONS] ID

Shows a job's progress until it ends or is paused, and of a push then the commit's URL.
Watching keeps no job running, and Ctrl-C ends the watching only.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object at the end; errors too, on standard error
  -q, --quiet       print only its state at the end, and show no progress
  -h, --help        show this help

Exit codes: 0 the job is done, 3 no such job, 8 daemon not reachable, 130 interrupted;
when it failed, what `wharf download` would have ended with; 1 when it was cancelled
or is paused, and anything else.

Example:
  wharf jobs watch 12
)help";

constexpr std::string_view pause_help =
    R"help(Usage: wharf jobs pause [OPTIONS] ID...

Stops jobs for everybody who waits for them. What was fetched or sent
stays; `wharf jobs resume` goes on from there.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object with the jobs; errors too, on standard error
  -q, --quiet       print only the numbers of the jobs it was done to
  -h, --help        show this help

With several jobs, what cannot be done to one is said, and the others are done.

Exit codes: 0 done, 2 not in the state the job is in, 3 no such job, 8 daemon not
reachable, 1 anything else; with several jobs that of the first failure.

Example:
  wharf jobs pause 12 13
)help";

constexpr std::string_view resume_help =
    R"help(Usage: wharf jobs resume [OPTIONS] ID...

Goes on with paused jobs, and starts waiting ones at once. From now on they run without
a command that waits for them.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object with the jobs; errors too, on standard error
  -q, --quiet       print only the numbers of the jobs it was done to
  -h, --help        show this help

With several jobs, what cannot be done to one is said, and the others are done.

Exit codes: 0 done, 2 not in the state the job is in, 3 no such job, 8 daemon not
reachable, 1 anything else; with several jobs that of the first failure.

Example:
  wharf jobs resume 12
)help";

constexpr std::string_view cancel_help =
    R"help(Usage: wharf jobs cancel [OPTIONS] ID...

Ends jobs for everybody who waits for them. What was fetched or sent stays, and so do
commits that were made; copies of files that were still to be pushed are removed, and
such a job cannot be retried. A job that has ended already is no failure.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object with the jobs; errors too, on standard error
  -q, --quiet       print only the numbers of the jobs it was done to
  -h, --help        show this help

With several jobs, what cannot be done to one is said, and the others are done.

Exit codes: 0 done, 2 not in the state the job is in, 3 no such job, 8 daemon not
reachable, 1 anything else; with several jobs that of the first failure.

Example:
  wharf jobs cancel 12
)help";

constexpr std::string_view retry_help =
    R"help(Usage: wharf jobs retry [OPTIONS] ID...

Does jobs that failed or were cancelled once more, under the same number, without a
command that waits for them. What was fetched is not fetched again.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object with the jobs; errors too, on standard error
  -q, --quiet       print only the numbers of the jobs it was done to
  -h, --help        show this help

With several jobs, what cannot be done to one is said, and the others are done.

Exit codes: 0 done, 2 not in the state the job is in, 3 no such job, 8 daemon not
reachable, 1 anything else; with several jobs that of the first failure.

Example:
  wharf jobs retry 12
)help";

constexpr std::string_view prioritize_help =
    R"help(Usage: wharf jobs prioritize [OPTIONS] ID... CLASS

Changes the class that jobs are scheduled in, while they run too: interactive, normal
or background.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object with the jobs; errors too, on standard error
  -q, --quiet       print only the numbers of the jobs it was done to
  -h, --help        show this help

With several jobs, what cannot be done to one is said, and the others are done.

Exit codes: 0 done, 2 not in the state the job is in, 3 no such job, 8 daemon not
reachable, 1 anything else; with several jobs that of the first failure.

Example:
  wharf jobs prioritize 12 13 background
)help";

constexpr std::array<HelpText, 9> texts{{{"jobs", group_help},
                                         {"jobs ls", ls_help},
                                         {"jobs show", show_help},
                                         {"jobs watch", watch_help},
                                         {"jobs pause", pause_help},
                                         {"jobs resume", resume_help},
                                         {"jobs cancel", cancel_help},
                                         {"jobs retry", retry_help},
                                         {"jobs prioritize", prioritize_help}}};

} // namespace

std::span<const HelpText> jobs_helps() {
    return texts;
}

} // namespace wharf::cli
