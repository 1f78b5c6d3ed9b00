#pragma once

#include "base/unique_fd.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace wharf::cli {

/// How a file's bytes came to a second name.
enum class CopyMethod {
    reflink,   ///< shares the blocks until one side is written (btrfs, XFS)
    hard_link, ///< is the same file
    copy,      ///< bytes of its own
};

/// What to copy. `file` is open for reading; `path`, when not empty, is where it can be linked
/// from.
struct CopySource {
    UniqueFd file;
    std::string path;
    std::uint64_t size = 0;
    bool may_hard_link = false; ///< nobody will edit it in place: true for large files only
};

/// Called while bytes are copied, with how many since the last call; may throw to stop.
using CopyProgress = std::function<void(std::uint64_t bytes)>;

/// Makes a new file `name` in `folder` with the source's content: as a reflink where the file
/// system can, else as a hard link where that is allowed and possible, else as a copy. On failure
/// nothing is left behind. Requires: no such file exists. Throws Error (storage, no_space;
/// integrity when the source is not of the size it should be).
CopyMethod copy_file(const CopySource& source, int folder, const std::string& name,
                     const CopyProgress& progress);

} // namespace wharf::cli
