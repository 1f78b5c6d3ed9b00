#include "client/cli/job_view.hpp"

#include "base/units.hpp"
#include "client/cli/table.hpp"
#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wharf::cli {

namespace {

std::string percent(std::uint64_t done, std::uint64_t total) {
    if (total == 0) {
        return "-";
    }
    return fmt::format(
        "{}%", static_cast<int>(100 * static_cast<double>(done) / static_cast<double>(total)));
}

std::string speed(const Job& job) {
    return format_size(job.bytes_per_second) + "/s";
}

/// "org/name", with the type in front when it is not a model: as `hf://` URIs write it.
std::string repo(const Job& job) {
    return job.repo_type == "model" ? job.repo : fmt::format("{}s/{}", job.repo_type, job.repo);
}

std::string files_table(const std::vector<FileProgress>& files) {
    Table table{{{"FILE", Align::left},
                 {"DONE", Align::right},
                 {"SIZE", Align::right},
                 {"", Align::right}}};
    for (const FileProgress& file : files) {
        table.add({file.path, format_size(file.done), format_size(file.total),
                   percent(file.done, file.total)});
    }
    return table.render();
}

} // namespace

std::string describe_wait(std::string_view reason, const std::optional<std::string>& until,
                          TimePoint now) {
    std::string out{reason};
    if (until) {
        out += (out.empty() ? "until " : ", until ") + short_time(*until, now);
    }
    return out;
}

std::string describe_state(const Job& job, TimePoint now) {
    std::string out = job.state;
    if (job.detached && !job.has_ended()) {
        out += " (detached)";
    }
    if (job.state == "running") {
        out += ", " + speed(job);
    }
    const std::string wait =
        describe_wait(job.reason, job.state == "waiting" ? job.waiting_until : std::nullopt, now);
    return wait.empty() ? out : fmt::format("{}: {}", out, wait);
}

std::string render_jobs(const std::vector<Job>& jobs, TimePoint now,
                        std::optional<std::size_t> width, const UserName& user_name) {
    // The state is last: it is a sentence at times, and may take several lines.
    std::vector<Column> columns{
        {"ID", Align::right},         {"REPO", Align::left},       {"REV", Align::left, 2},
        {"FILES", Align::right, 3},   {"SIZE", Align::right, 4},   {"DONE", Align::right},
        {"PRIORITY", Align::left, 5}, {"CREATED", Align::left, 1}, {"STATE", Align::left}};
    if (user_name) {
        columns.insert(columns.begin() + 1, {"USER", Align::left});
    }
    const bool any_push = std::ranges::any_of(jobs, &Job::is_push);
    if (any_push) {
        columns.insert(columns.begin() + 1, {"KIND", Align::left, 2});
    }
    Table table{std::move(columns)};
    for (const Job& job : jobs) {
        const std::string failure = job.failure ? ": " + job.failure->message : "";
        std::vector<std::string> cells{std::to_string(job.id),
                                       repo(job),
                                       job.revision,
                                       fmt::format("{}/{}", job.files_done, job.files_total),
                                       format_size(job.bytes_total),
                                       percent(job.bytes_done, job.bytes_total),
                                       job.priority,
                                       short_time(job.created, now),
                                       describe_state(job, now) + failure};
        if (user_name) {
            cells.insert(cells.begin() + 1, user_name(job.uid));
        }
        if (any_push) {
            cells.insert(cells.begin() + 1, job.kind);
        }
        table.add(cells);
    }
    return width ? table.render(*width) : table.render();
}

std::string render_job(const ShownJob& shown, TimePoint now) {
    const Job& job = shown.job;
    std::string out;
    const auto line = [&](std::string_view name, const std::string& value) {
        if (!value.empty()) {
            out += fmt::format("{:<10}{}\n", name, printable(value));
        }
    };
    line("job", std::to_string(job.id));
    if (job.is_push()) {
        line("kind", job.kind);
    }
    line("state", describe_state(job, now));
    line("repo", repo(job));
    line("revision", job.revision);
    line("commit", job.commit.value_or(""));
    line("message", job.message.value_or(""));
    line("url", job.url.value_or(""));
    for (const std::string& warning : job.warnings) {
        line("warning", warning);
    }
    line("priority", job.priority);
    line("user", std::to_string(job.uid));
    line("created", full_time(job.created));
    line("finished", job.finished ? full_time(*job.finished) : "");
    line("watchers", std::to_string(job.watchers));
    line("files", fmt::format("{} of {}", job.files_done, job.files_total));
    line("bytes",
         fmt::format("{} of {} ({})", format_size(job.bytes_done), format_size(job.bytes_total),
                     percent(job.bytes_done, job.bytes_total)));
    if (job.failure) {
        line("failure", job.failure->message);
        line("hint", job.failure->hint);
    }
    return shown.files.empty() ? out : out + "\n" + files_table(shown.files);
}

} // namespace wharf::cli
