#pragma once

#include "base/error.hpp"
#include "base/unique_fd.hpp"
#include "client/cli/upload_plan.hpp"

#include <functional>
#include <string>
#include <sys/stat.h>

namespace wharf::cli {

/// A file to push, found on the disk.
struct FoundFile {
    std::string path_in_repo;
    std::string shown; ///< its local path, for messages
    int folder;        ///< the open folder it lies in; borrowed for the length of a visit
    std::string name;  ///< in that folder
    bool follow;       ///< it is a link, or was named by the user
    struct stat status;
};

/// Something that cannot be taken, or was passed over.
struct WalkEvents {
    std::function<void(const FoundFile& file)> on_file;
    /// A file or folder that cannot be read, or whose name cannot be in a repo. What it throws ends
    /// the walk; when it returns, the walk goes on without it.
    std::function<void(const Error& error)> on_fault;
    /// A link to a folder or to nothing, or something that is no file.
    std::function<void(const std::string& shown)> on_passed_over = [](const std::string&) {};
};

/// Visits the files that the plan means, in the order of their names, folder by folder: regular
/// files and those that links point to; linked folders are not entered, as the official client does
/// not; never what is in ".git" or ".cache/huggingface". Keeps the names of one folder at a time.
/// What vanishes meanwhile is passed over in silence. Throws Failure when a signal asks to stop.
void find_files(const UploadPlan& plan, const WalkEvents& events);

/// A file that was opened, as it was then.
struct OpenedFile {
    UniqueFd descriptor; ///< not open when it has vanished
    struct stat status;
};

/// Opens it for reading, and never waits for it, as for a FIFO that took its place. Throws Error
/// (storage) when it cannot be read or is no file any more.
OpenedFile open_file(const FoundFile& file);

/// Whether the caller may read it; errors as `open_file` has them.
Result<void> check_readable(const FoundFile& file);

} // namespace wharf::cli
