#include "client/cli/push.hpp"

#include "base/units.hpp"
#include "client/cli/call_token.hpp"
#include "client/cli/io.hpp"
#include "client/cli/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <chrono>

namespace wharf::cli {

namespace {

void print_job(std::int64_t job, const UploadOrder& order, const Session& session) {
    if (session.is(OutputFormat::json)) {
        json::object out = describe(order);
        out["job"] = job;
        print_json(out);
    } else if (session.is(OutputFormat::quiet)) {
        print_result(fmt::format("{}\n", job));
    } else {
        print_result(fmt::format("job {0} goes on in the background; `wharf jobs watch {0}` shows "
                                 "how far it is\n",
                                 job));
    }
}

/// The line that stays: "3 files, 4.0 GB sent in 13s". Small files go within the commit and
/// deletions have no bytes: of those nothing is counted as sent.
std::string summary(const UploadResult& result, std::chrono::seconds elapsed) {
    if (result.commits == 0) {
        return "nothing had changed: no commit was made";
    }
    std::string out = result.files == 0 ? "files deleted" : count(result.files, "file");
    if (result.bytes_sent > 0) {
        out += fmt::format(", {} sent", format_size(result.bytes_sent));
    }
    out += fmt::format(" in {}", format_duration(elapsed));
    if (result.commits > 1) {
        out += fmt::format(", {} commits", result.commits);
    }
    return out;
}

void print_outcome(const UploadResult& result, const UploadOrder& order, const Session& session) {
    if (!session.is(OutputFormat::json)) {
        print_result(printable(result.address()) + "\n");
        return;
    }
    json::object out = describe(order);
    out["commit"] = result.commit;
    out["url"] = result.url;
    if (result.pull_request) {
        out["pull_request"] = *result.pull_request;
    } else {
        out["pull_request"] = nullptr;
    }
    out["commits"] = result.commits;
    out["files"] = result.files;
    out["bytes_sent"] = result.bytes_sent;
    out["warnings"] = to_array(result.warnings);
    print_json(out);
}

} // namespace

UploadOrder make_order(const CommitArguments& commit, std::string message, const Session& session,
                       ProgressDisplay& display) {
    UploadOrder order;
    order.message = commit.message.value_or(std::move(message));
    order.description = commit.description;
    order.parent_commit = commit.parent;
    order.priority = commit.priority;
    order.create_pr = commit.create_pr;
    order.token = search_token(commit.token, session, display);
    return order;
}

json::object describe(const UploadOrder& order) {
    json::object out;
    out["repo"] = order.repo;
    out["repo_type"] = order.repo_type;
    out["revision"] = order.revision;
    return out;
}

void finish_push(UploadCall& upload, const UploadOrder& order, bool detach, const Session& session,
                 ProgressDisplay& display) {
    if (detach) {
        const std::int64_t job = upload.submit_detached();
        display.clear();
        print_job(job, order, session);
        return;
    }
    const auto start = std::chrono::steady_clock::now();
    const UploadResult result = upload.submit(display);
    display.finish(summary(result, std::chrono::round<std::chrono::seconds>(
                                       std::chrono::steady_clock::now() - start)));
    for (const std::string& warning : result.warnings) {
        if (!session.is(OutputFormat::json)) { // there they are part of the object
            display.warn(warning);
        }
    }
    print_outcome(result, order, session);
}

} // namespace wharf::cli
