#include "client/cli/upload_wire.hpp"

#include "base/error.hpp"
#include "client/cli/job_wire.hpp"
#include "client/cli/json_fields.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

namespace wharf::cli {

namespace {

UploadResult read_result(const json::object& object) {
    UploadResult result;
    result.commit = text_member(object, "commit");
    result.url = text_member(object, "url");
    result.pull_request = optional_text_member(object, "pull_request");
    result.commits = size_member(object, "commits");
    result.files = size_member(object, "files");
    result.bytes_sent = size_member(object, "bytes_sent");
    result.warnings = read_warnings(object);
    return result;
}

} // namespace

json::object order_parameters(const UploadOrder& order) {
    json::object out;
    out["repo"] = order.repo;
    out["repo_type"] = order.repo_type;
    out["revision"] = order.revision;
    out["message"] = order.message;
    for (const auto& [name, text] :
         {std::pair{"description", &order.description},
          std::pair{"parent_commit", &order.parent_commit}, std::pair{"priority", &order.priority},
          std::pair{"token", &order.token}}) {
        if (*text) {
            out[name] = **text;
        }
    }
    for (const auto& [name, flag] :
         {std::pair{"create_pr", order.create_pr}, std::pair{"create", order.create},
          std::pair{"private", order.is_private}, std::pair{"attached", order.attached}}) {
        if (flag) {
            out[name] = true;
        }
    }
    return out;
}

AddedChanges read_added(const json::object& parameters) {
    return {size_member(parameters, "files"), size_member(parameters, "bytes"),
            size_member(parameters, "shared")};
}

UploadReply read_upload_reply(const json::object& parameters) {
    UploadReply reply;
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

} // namespace wharf::cli
