#include "client/cli/command_download.hpp"

#include "client/cli/call_token.hpp"
#include "client/cli/download_call.hpp"
#include "client/cli/dry_run.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/io.hpp"
#include "client/cli/json_fields.hpp"
#include "client/cli/local_download.hpp"

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <unistd.h>

namespace wharf::cli {

namespace {

/// What is printed at the end, wherever the files came to lie.
struct Outcome {
    std::string path;
    DownloadResult result;
    std::optional<std::string> local_dir; ///< its real path
};

void warn_if_stale(const DownloadResult& result, ProgressDisplay& display) {
    if (result.stale) {
        display.warn(fmt::format(
            "the Hub could not be asked which commit this is now; the last known one is used, {}{}",
            result.commit, result.why ? ": " + *result.why : ""));
    }
}

void warn_if_empty(const DownloadResult& result, const Selection& selection,
                   ProgressDisplay& display) {
    if (result.count == 0) {
        display.warn(
            fmt::format("no file of {} matches; --dry-run shows what there is", selection.repo));
    }
}

void warn_if_closed(const Outcome& outcome, ProgressDisplay& display) {
    if (outcome.result.by_descriptor && !outcome.local_dir) {
        display.warn("you cannot open this path: the repo is not public, and the cache's file "
                     "system has no ACLs to let you in; use --local-dir");
    }
}

/// What the listing already tells of a result.
DownloadResult as_result(const Listing& listing) {
    return {listing.commit, listing.snapshot, {}, listing.stale, std::nullopt, std::nullopt, false};
}

Outcome in_cache(DownloadResult result, const DownloadRequest& request) {
    Outcome outcome;
    outcome.result = std::move(result);
    const bool single = request.selection.single_file;
    if (single && outcome.result.files.size() != 1) {
        throw Error{ErrorKind::protocol, "the daemon did not say where the file is"};
    }
    outcome.path = single ? outcome.result.files.front() : outcome.result.snapshot;
    return outcome;
}

Outcome download_to_cache(Daemon& daemon, const DownloadRequest& request,
                          ProgressDisplay& display) {
    DownloadResult result = fetch(daemon, request, display);
    display.finish();
    return in_cache(std::move(result), request);
}

Outcome download_to_folder(Daemon& daemon, const DownloadRequest& request,
                           const std::string& folder, ProgressDisplay& display) {
    LocalOutcome local = LocalDownload{daemon, request, display}.run(folder);
    Outcome outcome{local.folder, std::move(local.result), local.folder};
    if (request.selection.single_file) {
        outcome.path = outcome.result.files.front();
    }
    return outcome;
}

/// What was asked for, as the beginning of an object.
json::object describe(const Selection& selection) {
    json::object out;
    out["repo"] = selection.repo;
    out["repo_type"] = selection.repo_type;
    out["revision"] = selection.revision;
    return out;
}

void print_outcome(const Outcome& outcome, const Selection& selection, const Session& session) {
    if (!session.is(OutputFormat::json)) {
        print_result(outcome.path + "\n");
        return;
    }
    json::object out = describe(selection);
    out["path"] = outcome.path;
    out["commit"] = outcome.result.commit;
    out["snapshot"] = outcome.result.snapshot;
    out["files"] = to_array(outcome.result.files);
    if (outcome.local_dir) {
        out["local_dir"] = *outcome.local_dir;
    }
    out["stale"] = outcome.result.stale;
    if (outcome.result.why) {
        out["why"] = *outcome.result.why;
    }
    print_json(out);
}

void print_job(std::int64_t job, const Selection& selection, const Session& session) {
    if (session.is(OutputFormat::json)) {
        json::object out = describe(selection);
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

void warn_about(const Outcome& outcome, const Selection& selection, ProgressDisplay& display) {
    warn_if_stale(outcome.result, display);
    warn_if_empty(outcome.result, selection, display);
    warn_if_closed(outcome, display);
}

void download_detached(Daemon& daemon, const DownloadRequest& request, ProgressDisplay& display,
                       const Session& session) {
    auto answer = start_detached(daemon, request, display);
    if (const auto* job = std::get_if<std::int64_t>(&answer)) {
        print_job(*job, request.selection, session);
        return;
    }
    const Outcome outcome = in_cache(std::get<DownloadResult>(std::move(answer)), request);
    display.finish("everything is in the cache already: no job was started");
    warn_about(outcome, request.selection, display);
    print_outcome(outcome, request.selection, session);
}

void dry_run(Daemon& daemon, const DownloadRequest& request, ProgressDisplay& display,
             const Session& session) {
    const Listing listing = list_files(daemon, request);
    warn_if_stale(as_result(listing), display);
    print_dry_run(listing, request.selection, request.force, session);
}

/// What to ask for; warnings are shown.
DownloadRequest make_request(const DownloadCommand& command, const Session& session,
                             ProgressDisplay& display) {
    DownloadRequest request;
    request.selection = select_files(command.what).value();
    request.force = command.force;
    request.priority = command.priority;
    for (const std::string& warning : request.selection.warnings) {
        display.warn(warning);
    }
    request.token = search_token(command.token, session, display);
    return request;
}

} // namespace

void run_download(const DownloadCommand& command, const Session& session) {
    ProgressDisplay display{STDERR_FILENO, session.progress_mode(), session.screen};
    const DownloadRequest request = make_request(command, session, display);
    Daemon daemon{session.socket};
    compare_endpoints(daemon, request.token, session, display);
    if (command.dry_run) {
        dry_run(daemon, request, display, session);
        return;
    }
    if (command.detach) {
        download_detached(daemon, request, display, session);
        return;
    }
    const Outcome outcome =
        command.local_dir
            ? download_to_folder(daemon, request,
                                 expand_home(*command.local_dir, session.environment), display)
            : download_to_cache(daemon, request, display);
    warn_about(outcome, request.selection, display);
    print_outcome(outcome, request.selection, session);
}

} // namespace wharf::cli
