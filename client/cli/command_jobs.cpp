#include "client/cli/command_jobs.hpp"

#include "client/cli/daemon.hpp"
#include "client/cli/endpoint.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/io.hpp"
#include "client/cli/job_view.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/text.hpp"
#include "client/cli/token.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <pwd.h>
#include <unistd.h>

namespace wharf::cli {

namespace {

using protocol::ExitCode;

/// What an action is called, on the socket and for people.
struct ActionWords {
    std::string_view method;
    std::string_view done;    ///< "job 12 …"
    bool keeps_bytes = false; ///< which is worth saying
};

ActionWords words_for(JobAction action) {
    switch (action) {
    case JobAction::pause:
        return {"org.wharf.Jobs.Pause", "is paused", true};
    case JobAction::resume:
        return {"org.wharf.Jobs.Resume", "goes on in the background"};
    case JobAction::cancel:
        return {"org.wharf.Jobs.Cancel", "is cancelled", true};
    case JobAction::retry:
        return {"org.wharf.Jobs.Retry", "is done once more, in the background"};
    case JobAction::prioritize:
        return {"org.wharf.Jobs.Prioritize", "has another class now: "};
    }
    return {};
}

/// What came of it, for people. A job that has ended is answered as it is.
std::string describe_outcome(const JobsActCommand& command, const Job& job) {
    const bool cancelled = command.action == JobAction::cancel && job.state == "cancelled";
    if (job.has_ended() && !cancelled) {
        return fmt::format("job {} had ended already: {}\n", job.id, printable(job.state));
    }
    const ActionWords words = words_for(command.action);
    std::string rest;
    if (cancelled && job.is_push()) {
        rest = "; its files are not kept, and commits that were made stay";
    } else if (words.keeps_bytes) {
        rest = job.is_push() ? "; what it sent stays" : "; what it fetched stays";
    } else if (command.action == JobAction::prioritize) {
        rest = printable(job.priority);
    }
    return fmt::format("job {} {}{}\n", job.id, words.done, rest);
}

/// The caller's token for a job that is to ask the Hub again. None where he means another Hub than
/// the daemon's: then the job has to do with what it has.
std::optional<std::string> token_for(Daemon& daemon, const JobsActCommand& command,
                                     const Environment& environment) {
    if (command.action != JobAction::resume && command.action != JobAction::retry) {
        return std::nullopt;
    }
    auto token = find_token(std::nullopt, environment, read_token_file).value().token;
    const auto wanted = wanted_endpoint(environment);
    if (token && wanted) {
        const json::object status = daemon.call("org.wharf.Status");
        return is_same_endpoint(*wanted, text_member(status, "endpoint")) ? token : std::nullopt;
    }
    return token;
}

json::object act(Daemon& daemon, const JobsActCommand& command, std::int64_t id,
                 const std::optional<std::string>& token) {
    json::object parameters;
    parameters["id"] = id;
    if (token) {
        parameters["token"] = *token;
    }
    if (command.action == JobAction::prioritize) {
        parameters["priority"] = command.priority;
    }
    return daemon.call(words_for(command.action).method, std::move(parameters));
}

/// The account's name; its number where the machine does not know it.
std::string user_name(std::int64_t uid) {
    const passwd* entry = ::getpwuid(static_cast<uid_t>(uid));
    return entry != nullptr ? entry->pw_name : std::to_string(uid);
}

/// Whether it concerns one job only. Without a daemon, or after Ctrl-C, no other job fares better.
bool is_of_one_job(const Failure& failure) {
    return failure.code() != ExitCode::no_daemon && failure.code() != ExitCode::interrupted;
}

} // namespace

void run_jobs_list(const JobsListCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    json::object parameters;
    parameters["all"] = command.all;
    if (command.all_users) {
        parameters["all_users"] = true;
    }
    json::array listed;
    daemon.gather("org.wharf.Jobs.List", std::move(parameters), [&](const json::object& part) {
        for (const json::value& job : list_member(part, "jobs")) {
            if (!command.limit || std::cmp_less(listed.size(), *command.limit)) {
                listed.push_back(job);
            }
        }
    });
    if (session.is(OutputFormat::json)) {
        json::object out;
        out["jobs"] = std::move(listed);
        print_json(out);
        return;
    }
    std::vector<Job> jobs;
    std::string ids;
    for (const json::value& job : listed) {
        jobs.push_back(read_job(as_object(job)));
        ids += fmt::format("{}\n", jobs.back().id);
    }
    if (session.is(OutputFormat::quiet)) {
        print_result(ids);
    } else {
        print_result(jobs.empty()
                         ? "No jobs.\n"
                         : render_jobs(jobs, current_time(), terminal_columns(STDOUT_FILENO),
                                       command.all_users ? user_name : UserName{}));
    }
}

void run_jobs_show(const JobsShowCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    json::object parameters;
    parameters["id"] = command.id;
    const json::object answer = daemon.call("org.wharf.Jobs.Show", std::move(parameters));
    const ShownJob shown = read_shown_job(answer);
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(printable(shown.job.state) + "\n");
    } else {
        print_result(render_job(shown, current_time()));
    }
}

ExitCode run_jobs_act(const JobsActCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    auto code = ExitCode::done;
    json::array changed;
    const auto token = token_for(daemon, command, session.environment);
    for (const std::int64_t id : command.ids) {
        try {
            const json::object answer = act(daemon, command, id, token);
            const Job job = read_job(object_member(answer, "job"));
            changed.push_back(object_member(answer, "job"));
            if (!session.is(OutputFormat::json)) {
                print_result(session.is(OutputFormat::quiet) ? fmt::format("{}\n", job.id)
                                                             : describe_outcome(command, job));
            }
        } catch (const Failure& failure) {
            if (!is_of_one_job(failure)) {
                throw;
            }
            tell(failure, session.is(OutputFormat::json));
            code = code == ExitCode::done ? failure.code() : code;
        }
    }
    if (session.is(OutputFormat::json) && !changed.empty()) {
        json::object out;
        out["jobs"] = std::move(changed);
        print_json(out);
    }
    return code;
}

} // namespace wharf::cli
