#include "client/cli/job_wire.hpp"

#include "client/cli/json_fields.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

namespace wharf::cli {

namespace {

std::optional<JobFailure> read_failure(const json::object& job) {
    const json::object* failure = optional_object_member(job, "failure");
    if (!failure) {
        return std::nullopt;
    }
    return JobFailure{text_member(*failure, "name"), text_member(*failure, "message"),
                      text_member(*failure, "hint")};
}

} // namespace

std::vector<std::string> read_warnings(const json::object& object) {
    std::vector<std::string> warnings;
    const json::value* list = object.if_contains("warnings");
    if (list == nullptr || list->is_null()) {
        return warnings;
    }
    for (const json::value& warning : list_member(object, "warnings")) {
        if (!warning.is_string()) {
            throw Error{ErrorKind::protocol, "the daemon's answer has a warning that is no text"};
        }
        warnings.emplace_back(warning.get_string());
    }
    return warnings;
}

bool Job::has_ended() const noexcept {
    return state == "done" || state == "failed" || state == "cancelled";
}

Job read_job(const json::object& object) {
    Job job;
    job.id = number_member(object, "id");
    job.uid = number_member(object, "uid");
    job.repo = text_member(object, "repo");
    job.repo_type = text_member(object, "repo_type");
    job.revision = text_member(object, "revision");
    job.commit = optional_text_member(object, "commit");
    job.kind = optional_text_member(object, "kind").value_or("download");
    job.message = optional_text_member(object, "message");
    job.url = optional_text_member(object, "url");
    job.warnings = read_warnings(object);
    job.priority = optional_text_member(object, "priority").value_or("normal");
    job.detached = object.contains("detached") && flag_member(object, "detached");
    job.state = text_member(object, "state");
    job.reason = optional_text_member(object, "reason").value_or("");
    job.waiting_until = optional_text_member(object, "waiting_until");
    job.created = text_member(object, "created");
    job.finished = optional_text_member(object, "finished");
    job.watchers = size_member(object, "watchers");
    job.files_done = size_member(object, "files_done");
    job.files_total = size_member(object, "files_total");
    job.bytes_done = size_member(object, "bytes_done");
    job.bytes_total = size_member(object, "bytes_total");
    job.bytes_per_second = size_member(object, "bytes_per_second");
    job.failure = read_failure(object);
    return job;
}

ShownJob read_shown_job(const json::object& parameters) {
    ShownJob shown{read_job(object_member(parameters, "job")), {}};
    for (const json::value& file : list_member(parameters, "files")) {
        shown.files.push_back(read_file_progress(as_object(file)));
    }
    return shown;
}

Progress progress_of(const ShownJob& shown) {
    const Job& job = shown.job;
    return {job.state,      job.reason,      job.files_done,       job.files_total,
            job.bytes_done, job.bytes_total, job.bytes_per_second, shown.files};
}

} // namespace wharf::cli
