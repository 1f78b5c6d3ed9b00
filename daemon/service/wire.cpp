#include "daemon/service/wire.hpp"

#include "daemon/hub/urls.hpp"
#include "protocol/error_names.hpp"
#include "protocol/utf8.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace wharf::service {

namespace json = boost::json;

namespace {

/// The member's value; null when it is absent or null.
const json::value* member(const json::object& parameters, std::string_view name) {
    const auto* value = parameters.if_contains(name);
    return value != nullptr && !value->is_null() ? value : nullptr;
}

std::string text(const json::value& value) {
    return std::string{std::string_view{value.as_string()}};
}

/// JSON has no unsigned numbers in our interfaces; nothing here comes near the limit.
std::int64_t number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

json::value time_or_null(std::optional<jobs::WallClock::time_point> time) {
    return time ? json::value(format_time(*time)) : json::value(nullptr);
}

/// Where people see what a push that is done has made.
json::value page_of(const jobs::JobInfo& job, const net::Url& endpoint) {
    if (!job.push || job.state != jobs::JobState::done || job.commit.empty()) {
        return nullptr;
    }
    const auto& pull_request = job.push->outcome.pull_request;
    const auto page = pull_request ? hub::pull_request_page(endpoint, job.repo, *pull_request)
                                   : hub::commit_page(endpoint, job.repo, job.commit);
    return json::value(page.to_string());
}

} // namespace

jobs::DownloadRequest read_request(const json::object& parameters, uid_t uid) {
    jobs::DownloadRequest request;
    request.uid = uid;
    request.repo = read_repo(parameters);
    if (const auto revision = read_text(parameters, "revision")) {
        request.revision = hub::parse_revision(*revision).value();
    }
    request.filter.files = read_texts(parameters, "files");
    request.filter.include = read_texts(parameters, "include");
    request.filter.exclude = read_texts(parameters, "exclude");
    request.filter = jobs::check_filter(std::move(request.filter)).value();
    request.force = read_flag(parameters, "force");
    if (const auto priority = read_text(parameters, "priority")) {
        request.priority = jobs::priority_from(*priority).value();
    }
    return request;
}

hub::RepoId read_repo(const json::object& parameters, std::string_view name) {
    auto type = hub::RepoType::model;
    if (const auto given = read_text(parameters, std::string{name} + "_type")) {
        type = hub::repo_type_from(*given).value();
    }
    return hub::RepoId::parse(type, text(parameters.at(name))).value();
}

std::optional<std::string> read_text(const json::object& parameters, std::string_view name) {
    const auto* value = member(parameters, name);
    return value != nullptr ? std::optional{text(*value)} : std::nullopt;
}

std::vector<std::string> read_texts(const json::object& parameters, std::string_view name) {
    std::vector<std::string> list;
    if (const auto* value = member(parameters, name)) {
        for (const auto& each : value->as_array()) {
            list.push_back(text(each));
        }
    }
    return list;
}

bool read_flag(const json::object& parameters, std::string_view name) {
    const auto* value = member(parameters, name);
    return value != nullptr && value->as_bool();
}

json::array to_json(const std::vector<jobs::FileProgress>& files) {
    json::array list;
    for (const auto& file : files) {
        list.push_back(json::object{
            {"path", file.path}, {"done", number(file.done)}, {"total", number(file.total)}});
    }
    return list;
}

json::object progress_of(const jobs::JobInfo& job) {
    return {{"state", jobs::name(job.state)},
            {"reason", or_null(job.reason)},
            {"files_done", number(job.counts.files_done)},
            {"files_total", number(job.counts.files_total)},
            {"bytes_done", number(job.counts.bytes_done)},
            {"bytes_total", number(job.counts.bytes_total)},
            {"bytes_per_second", number(job.bytes_per_second)},
            {"files", to_json(job.in_air)}};
}

/// Null for what cannot have any.
json::value warnings_of(const jobs::JobInfo& job) {
    if (!job.push) {
        return nullptr;
    }
    json::array warnings;
    for (const auto& warning : job.push->outcome.warnings) {
        warnings.push_back(json::string{protocol::to_utf8(warning)});
    }
    return warnings;
}

json::object to_json(const jobs::JobInfo& job, const net::Url& endpoint) {
    json::value failure = nullptr;
    if (job.failure) {
        failure = json::object{{"name", protocol::error_name(job.failure->kind())},
                               {"message", protocol::to_utf8(job.failure->message())},
                               {"hint", protocol::to_utf8(job.failure->hint())}};
    }
    return {{"id", number(job.id)},
            {"uid", number(job.uid)},
            {"kind", job.push ? "commit" : "download"},
            {"repo", job.repo.name},
            {"repo_type", hub::name(job.repo.type)},
            {"revision", job.revision},
            {"commit", or_null(job.commit)},
            {"message", job.push ? or_null(job.push->summary) : json::value(nullptr)},
            {"url", page_of(job, endpoint)},
            {"warnings", warnings_of(job)},
            {"priority", jobs::name(job.priority)},
            {"detached", job.detached},
            {"state", jobs::name(job.state)},
            {"reason", or_null(job.reason)},
            {"waiting_until", time_or_null(job.waiting_until)},
            {"created", format_time(job.created)},
            {"finished", time_or_null(job.finished)},
            {"watchers", number(job.watchers)},
            {"files_done", number(job.counts.files_done)},
            {"files_total", number(job.counts.files_total)},
            {"bytes_done", number(job.counts.bytes_done)},
            {"bytes_total", number(job.counts.bytes_total)},
            {"bytes_per_second", number(job.bytes_per_second)},
            {"failure", std::move(failure)}};
}

access::PolicyRefusal may_not_push(std::string repo) {
    return access::PolicyRefusal{
        "this account may not push to the Hub",
        "the administrator of this machine says who may: [access] upload_groups", std::move(repo)};
}

json::value or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(protocol::to_utf8(text));
}

std::string format_time(std::chrono::system_clock::time_point time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

} // namespace wharf::service
