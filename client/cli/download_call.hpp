#pragma once

#include "client/cli/daemon.hpp"
#include "client/cli/progress_display.hpp"
#include "client/cli/wire.hpp"

#include <optional>
#include <string>

namespace wharf::cli {

/// One question about a repo's files, with the token that goes along.
struct DownloadRequest {
    Selection selection;
    std::optional<std::string> token;
    bool force = false;
};

/// Has the files fetched, shows the progress, and returns when everything is there. Throws Failure;
/// one by interruption names the job.
DownloadResult fetch(Daemon& daemon, const DownloadRequest& request, ProgressDisplay& display);

/// Asks which files are meant.
Listing list_files(Daemon& daemon, const DownloadRequest& request);

} // namespace wharf::cli
