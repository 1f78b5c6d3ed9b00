#include "daemon/service/wire.hpp"

#include "protocol/error_names.hpp"

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

std::vector<std::string> texts(const json::object& parameters, std::string_view name) {
    std::vector<std::string> list;
    if (const auto* value = member(parameters, name)) {
        for (const auto& each : value->as_array()) {
            list.push_back(text(each));
        }
    }
    return list;
}

/// JSON has no unsigned numbers in our interfaces; nothing here comes near the limit.
std::int64_t number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

} // namespace

jobs::DownloadRequest read_request(const json::object& parameters, uid_t uid) {
    jobs::DownloadRequest request;
    request.uid = uid;
    auto type = hub::RepoType::model;
    if (const auto* value = member(parameters, "repo_type")) {
        type = hub::repo_type_from(text(*value)).value();
    }
    request.repo = hub::RepoId::parse(type, text(parameters.at("repo"))).value();
    if (const auto* value = member(parameters, "revision")) {
        request.revision = hub::parse_revision(text(*value)).value();
    }
    request.filter.files = texts(parameters, "files");
    request.filter.include = texts(parameters, "include");
    request.filter.exclude = texts(parameters, "exclude");
    if (const auto* value = member(parameters, "force")) {
        request.force = value->as_bool();
    }
    if (const auto* value = member(parameters, "token")) {
        request.token = hub::Token{text(*value)};
    }
    return request;
}

json::array to_json(const std::vector<jobs::FileProgress>& files) {
    json::array list;
    for (const auto& file : files) {
        list.push_back(json::object{
            {"path", file.path}, {"done", number(file.done)}, {"total", number(file.total)}});
    }
    return list;
}

json::object to_json(const jobs::Progress& progress, jobs::JobState state) {
    return {{"state", jobs::name(state)},
            {"reason", or_null(progress.reason)},
            {"files_done", number(progress.files_done)},
            {"files_total", number(progress.files_total)},
            {"bytes_done", number(progress.bytes_done)},
            {"bytes_total", number(progress.bytes_total)},
            {"bytes_per_second", number(progress.bytes_per_second)},
            {"files", to_json(progress.in_air)}};
}

json::object to_json(jobs::Job& job) {
    const auto progress = job.progress();
    json::value failure = nullptr;
    if (const auto error = job.failure()) {
        failure = json::object{{"name", protocol::error_name(error->kind())},
                               {"message", error->message()},
                               {"hint", error->hint()}};
    }
    const auto finished = job.finished();
    return {{"id", number(job.id())},
            {"uid", number(job.order().uid)},
            {"kind", "download"},
            {"repo", job.order().repo.name},
            {"repo_type", hub::name(job.order().repo.type)},
            {"revision", job.order().revision},
            {"commit", or_null(job.order().commit)},
            {"state", jobs::name(job.state())},
            {"reason", or_null(progress.reason)},
            {"created", format_time(job.created())},
            {"finished", finished ? json::value(format_time(*finished)) : json::value(nullptr)},
            {"watchers", number(job.watchers)},
            {"files_done", number(progress.files_done)},
            {"files_total", number(progress.files_total)},
            {"bytes_done", number(progress.bytes_done)},
            {"bytes_total", number(progress.bytes_total)},
            {"bytes_per_second", number(progress.bytes_per_second)},
            {"failure", std::move(failure)}};
}

json::value or_null(const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
}

std::string format_time(std::chrono::system_clock::time_point time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

} // namespace wharf::service
