#include "client/cli/wire.hpp"

#include "base/digest.hpp"
#include "base/error.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace wharf::cli {

namespace {

DownloadResult read_result(const json::object& object) {
    DownloadResult result;
    result.commit = text_member(object, "commit");
    result.snapshot = text_member(object, "snapshot");
    result.stale = flag_member(object, "stale");
    result.why = optional_text_member(object, "why");
    if (object.contains("count")) {
        result.count = size_member(object, "count");
    }
    if (object.contains("by_descriptor")) {
        result.by_descriptor = flag_member(object, "by_descriptor");
    }
    for (const json::value& file : list_member(object, "files")) {
        if (!file.is_string()) {
            throw Error{ErrorKind::protocol, "the daemon's answer names a file that is no text"};
        }
        result.files.emplace_back(file.get_string());
    }
    return result;
}

ListedFile read_file(const json::object& object) {
    ListedFile file;
    file.name = text_member(object, "name");
    file.size = size_member(object, "size");
    file.etag = text_member(object, "etag");
    file.cached = flag_member(object, "cached");
    file.path = optional_text_member(object, "path");
    if (!is_blob_name(file.etag)) {
        throw Error{ErrorKind::protocol,
                    fmt::format("the daemon's answer gives '{}' an etag that is no hash",
                                printable(file.name))};
    }
    return file;
}

} // namespace

json::array to_array(const std::vector<std::string>& list) {
    json::array out;
    out.reserve(list.size());
    for (const std::string& element : list) {
        out.emplace_back(element);
    }
    return out;
}

FileProgress read_file_progress(const json::object& object) {
    return {text_member(object, "path"), size_member(object, "done"), size_member(object, "total")};
}

Progress read_progress(const json::object& object) {
    Progress progress;
    progress.state = text_member(object, "state");
    progress.reason = optional_text_member(object, "reason").value_or("");
    progress.files_done = size_member(object, "files_done");
    progress.files_total = size_member(object, "files_total");
    progress.bytes_done = size_member(object, "bytes_done");
    progress.bytes_total = size_member(object, "bytes_total");
    progress.bytes_per_second = size_member(object, "bytes_per_second");
    for (const json::value& file : list_member(object, "files")) {
        progress.files.push_back(read_file_progress(as_object(file)));
    }
    return progress;
}

json::object selection_parameters(const Selection& selection,
                                  const std::optional<std::string>& token) {
    json::object out;
    out["repo"] = selection.repo;
    out["repo_type"] = selection.repo_type;
    out["revision"] = selection.revision;
    for (const auto& [name, list] :
         {std::pair{"files", &selection.files}, std::pair{"include", &selection.include},
          std::pair{"exclude", &selection.exclude}}) {
        if (!list->empty()) {
            out[name] = to_array(*list);
        }
    }
    if (token) {
        out["token"] = *token;
    }
    return out;
}

DownloadReply read_download_reply(const json::object& parameters) {
    DownloadReply reply;
    if (const json::value* job = parameters.if_contains("job"); job && !job->is_null()) {
        reply.job = number_member(parameters, "job");
    }
    if (const json::object* progress = optional_object_member(parameters, "progress")) {
        reply.progress = read_progress(*progress);
    }
    if (const json::object* result = optional_object_member(parameters, "result")) {
        reply.result = read_result(*result);
    }
    return reply;
}

void read_listing(const json::object& parameters, Listing& listing) {
    const std::string commit = text_member(parameters, "commit");
    if (!is_commit_id(commit) || (!listing.commit.empty() && listing.commit != commit)) {
        throw Error{ErrorKind::protocol, "the daemon's answer does not name one commit"};
    }
    listing.commit = commit;
    listing.snapshot = text_member(parameters, "snapshot");
    listing.stale = flag_member(parameters, "stale");
    for (const json::value& file : list_member(parameters, "files")) {
        listing.files.push_back(read_file(as_object(file)));
    }
}

} // namespace wharf::cli
