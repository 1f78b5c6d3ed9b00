#pragma once

#include "client/cli/download_call.hpp"
#include "client/cli/local_dir.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace wharf::cli {

/// `wharf download --local-dir`: has the daemon fetch what the folder lacks and places it there.
/// The listing comes first, so files that are in place already cost neither transfer nor copy, even
/// when the cache has dropped them. One use.
class LocalDownload {
  public:
    /// Borrows daemon and display.
    LocalDownload(Daemon& daemon, DownloadRequest request, std::string folder,
                  ProgressDisplay& display);

    /// Does it all. The result's files are the paths in the folder of the files that were named.
    /// Throws Failure and Error; what was placed until then stays.
    DownloadResult run();

    /// The folder's real path. Requires: `run` returned.
    const std::string& folder() const { return dir_->path(); }

  private:
    std::vector<LocalFile> find_outdated(const Listing& listing);
    DownloadResult fetch_missing(const Listing& listing, const std::vector<LocalFile>& wanted);
    void place_all(const std::vector<LocalFile>& wanted, const std::string& snapshot);
    CopySource open_source(const LocalFile& file, const std::string& snapshot);

    Daemon& daemon_;
    DownloadRequest request_;
    std::string asked_folder_;
    ProgressDisplay& display_;
    std::optional<LocalDir> dir_;
};

} // namespace wharf::cli
