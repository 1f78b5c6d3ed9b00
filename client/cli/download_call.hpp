#pragma once

#include "client/cli/daemon.hpp"
#include "client/cli/progress_display.hpp"
#include "client/cli/wire.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace wharf::cli {

/// One question about a repo's files, with the token that goes along.
struct DownloadRequest {
    Selection selection;
    std::optional<std::string> token; ///< as TokenSearch has it
    bool force = false;
    std::optional<std::string> priority = {}; ///< the class it is scheduled in
};

/// Has the files fetched, shows the progress, and returns when everything is there. Throws Failure;
/// one by interruption names the job.
DownloadResult fetch(Daemon& daemon, const DownloadRequest& request, ProgressDisplay& display);

/// Leaves the download to the daemon: returns the job's number as soon as the job is durable, or
/// the result when everything is there already. Throws Failure.
std::variant<std::int64_t, DownloadResult>
start_detached(Daemon& daemon, const DownloadRequest& request, ProgressDisplay& display);

/// Asks which files are meant.
Listing list_files(Daemon& daemon, const DownloadRequest& request);

} // namespace wharf::cli
