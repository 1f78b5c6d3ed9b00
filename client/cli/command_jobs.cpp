#include "client/cli/command_jobs.hpp"

#include "base/units.hpp"
#include "client/cli/daemon.hpp"
#include "client/cli/io.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/table.hpp"
#include "client/cli/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace wharf::cli {

namespace {

namespace json = boost::json;

std::string percent(std::uint64_t done, std::uint64_t total) {
    if (total == 0) {
        return "-";
    }
    return fmt::format(
        "{}%", static_cast<int>(100 * static_cast<double>(done) / static_cast<double>(total)));
}

std::string done_percent(const json::object& job) {
    return percent(size_member(job, "bytes_done"), size_member(job, "bytes_total"));
}

std::string speed(const json::object& job) {
    return format_size(size_member(job, "bytes_per_second")) + "/s";
}

/// "org/name", with the type in front when it is not a model: as `hf://` URIs write it.
std::string repo(const json::object& job) {
    const std::string type = text_member(job, "repo_type");
    const std::string name = text_member(job, "repo");
    return type == "model" ? name : fmt::format("{}s/{}", type, name);
}

std::string jobs_table(const json::array& jobs) {
    Table table{{"ID", Align::right},   {"STATE", Align::left},  {"REPO", Align::left},
                {"REV", Align::left},   {"FILES", Align::right}, {"SIZE", Align::right},
                {"DONE", Align::right}, {"SPEED", Align::right}, {"CREATED", Align::left}};
    for (const json::value& element : jobs) {
        const json::object& job = as_object(element);
        const bool running = text_member(job, "state") == "running";
        table.add(
            {std::to_string(number_member(job, "id")), text_member(job, "state"), repo(job),
             text_member(job, "revision"),
             fmt::format("{}/{}", size_member(job, "files_done"), size_member(job, "files_total")),
             format_size(size_member(job, "bytes_total")), done_percent(job),
             running ? speed(job) : "", text_member(job, "created")});
    }
    return table.render();
}

/// One job as "name  value" lines; what does not apply is left out.
std::string job_text(const json::object& job) {
    std::string out;
    const auto line = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) {
            out += fmt::format("{:<10}{}\n", name, printable(value));
        }
    };
    const auto optional = [&](const char* name) {
        return optional_text_member(job, name).value_or("");
    };
    const std::string reason = optional("reason");
    line("job", std::to_string(number_member(job, "id")));
    line("state", text_member(job, "state") + (reason.empty() ? "" : ": " + reason));
    line("repo", repo(job));
    line("revision", text_member(job, "revision"));
    line("commit", optional("commit"));
    line("user", std::to_string(number_member(job, "uid")));
    line("created", text_member(job, "created"));
    line("finished", optional("finished"));
    line("watchers", std::to_string(size_member(job, "watchers")));
    line("files",
         fmt::format("{} of {}", size_member(job, "files_done"), size_member(job, "files_total")));
    line("bytes",
         fmt::format("{} of {} ({}), {}", format_size(size_member(job, "bytes_done")),
                     format_size(size_member(job, "bytes_total")), done_percent(job), speed(job)));
    if (const json::object* failure = optional_object_member(job, "failure")) {
        line("failure", text_member(*failure, "message"));
        line("hint", text_member(*failure, "hint"));
    }
    return out;
}

std::string files_table(const json::array& files) {
    Table table{
        {"FILE", Align::left}, {"DONE", Align::right}, {"SIZE", Align::right}, {"", Align::right}};
    for (const json::value& element : files) {
        const json::object& file = as_object(element);
        const std::uint64_t done = size_member(file, "done");
        const std::uint64_t total = size_member(file, "total");
        table.add({text_member(file, "path"), format_size(done), format_size(total),
                   percent(done, total)});
    }
    return table.render();
}

json::object with_id(std::int64_t id) {
    json::object parameters;
    parameters["id"] = id;
    return parameters;
}

} // namespace

void run_jobs_list(const JobsListCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    json::object parameters;
    parameters["all"] = command.all;
    const json::object answer = daemon.call("org.wharf.Jobs.List", std::move(parameters));
    const json::array& jobs = list_member(answer, "jobs");
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        std::string ids;
        for (const json::value& job : jobs) {
            ids += fmt::format("{}\n", number_member(as_object(job), "id"));
        }
        print_result(ids);
    } else {
        print_result(jobs.empty() ? "No jobs.\n" : jobs_table(jobs));
    }
}

void run_jobs_show(const JobsShowCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    const json::object answer = daemon.call("org.wharf.Jobs.Show", with_id(command.id));
    const json::object& job = object_member(answer, "job");
    const json::array& files = list_member(answer, "files");
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(printable(text_member(job, "state")) + "\n");
    } else {
        print_result(job_text(job) + (files.empty() ? "" : "\n" + files_table(files)));
    }
}

void run_jobs_cancel(const JobsCancelCommand& command, const Session& session) {
    Daemon daemon{session.socket};
    const json::object answer = daemon.call("org.wharf.Jobs.Cancel", with_id(command.id));
    const json::object& job = object_member(answer, "job");
    const std::string state = text_member(job, "state");
    if (session.is(OutputFormat::json)) {
        print_json(answer);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(printable(state) + "\n");
    } else if (state == "cancelled") {
        print_result(fmt::format("job {} is cancelled; what it fetched stays\n", command.id));
    } else {
        print_result(fmt::format("job {} had ended already: {}\n", command.id, printable(state)));
    }
}

} // namespace wharf::cli
