#include "client/cli/command_download.hpp"

#include "client/cli/download_call.hpp"
#include "client/cli/dry_run.hpp"
#include "client/cli/failure.hpp"
#include "client/cli/io.hpp"
#include "client/cli/local_download.hpp"
#include "client/cli/token.hpp"

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

/// What the listing already tells of a result.
DownloadResult as_result(const Listing& listing) {
    return {listing.commit, listing.snapshot, {}, listing.stale, std::nullopt, std::nullopt};
}

Outcome download_to_cache(Daemon& daemon, const DownloadRequest& request,
                          ProgressDisplay& display) {
    Outcome outcome;
    outcome.result = fetch(daemon, request, display);
    display.finish();
    const bool single = request.selection.single_file;
    if (single && outcome.result.files.size() != 1) {
        throw Error{ErrorKind::protocol, "the daemon did not say where the file is"};
    }
    outcome.path = single ? outcome.result.files.front() : outcome.result.snapshot;
    return outcome;
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

void print_outcome(const Outcome& outcome, const Selection& selection, const Session& session) {
    if (!session.is(OutputFormat::json)) {
        print_result(outcome.path + "\n");
        return;
    }
    json::object out;
    out["path"] = outcome.path;
    out["repo"] = selection.repo;
    out["repo_type"] = selection.repo_type;
    out["revision"] = selection.revision;
    out["commit"] = outcome.result.commit;
    out["snapshot"] = outcome.result.snapshot;
    json::array files;
    for (const std::string& file : outcome.result.files) {
        files.emplace_back(file);
    }
    out["files"] = std::move(files);
    if (outcome.local_dir) {
        out["local_dir"] = *outcome.local_dir;
    }
    out["stale"] = outcome.result.stale;
    if (outcome.result.why) {
        out["why"] = *outcome.result.why;
    }
    print_json(out);
}

} // namespace

void run_download(const DownloadCommand& command, const Session& session) {
    ProgressDisplay display{STDERR_FILENO, session.progress_mode(), session.screen};
    DownloadRequest request;
    request.selection = select_files(command.what).value();
    request.force = command.force;
    for (const std::string& warning : request.selection.warnings) {
        display.warn(warning);
    }
    TokenSearch search = find_token(command.token, session.environment, read_token_file).value();
    if (search.warning) {
        display.warn(*search.warning);
    }
    request.token = std::move(search.token);

    Daemon daemon{session.socket};
    if (command.dry_run) {
        const Listing listing = list_files(daemon, request);
        warn_if_stale(as_result(listing), display);
        print_dry_run(listing, request.selection, request.force, session);
        return;
    }
    const Outcome outcome =
        command.local_dir
            ? download_to_folder(daemon, request,
                                 expand_home(*command.local_dir, session.environment), display)
            : download_to_cache(daemon, request, display);
    warn_if_stale(outcome.result, display);
    warn_if_empty(outcome.result, request.selection, display);
    print_outcome(outcome, request.selection, session);
}

} // namespace wharf::cli
