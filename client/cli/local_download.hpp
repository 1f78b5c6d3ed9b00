#pragma once

#include "client/cli/download_call.hpp"
#include "client/cli/local_dir.hpp"

#include <optional>
#include <string>
#include <vector>

namespace wharf::cli {

/// What a download to a folder came to.
struct LocalOutcome {
    DownloadResult result; ///< its files are the paths in the folder of the files that were named
    std::string folder;    ///< its real path
};

/// `wharf download --local-dir`: has the daemon fetch what the folder lacks and places it there.
/// The listing comes first, so files that are in place already cost neither transfer nor copy, even
/// when the cache has dropped them.
class LocalDownload {
  public:
    /// Borrows daemon and display.
    LocalDownload(Daemon& daemon, DownloadRequest request, ProgressDisplay& display);

    /// Does it all. Throws Failure and Error; what was placed until then stays.
    LocalOutcome run(const std::string& folder);

  private:
    Listing list();
    std::vector<LocalFile> find_outdated(LocalDir& folder, std::vector<LocalFile> files);
    DownloadResult fetch_missing(const Listing& listing, const std::vector<LocalFile>& wanted);
    void place_all(LocalDir& folder, const std::vector<LocalFile>& wanted,
                   const std::string& snapshot);
    CopySource open_source(const LocalFile& file, const std::string& commit,
                           const std::string& snapshot);

    Daemon& daemon_;
    DownloadRequest request_;
    ProgressDisplay& display_;
};

} // namespace wharf::cli
