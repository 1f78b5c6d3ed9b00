#pragma once

#include "client/cli/file_copy.hpp"
#include "client/cli/folder_tree.hpp"
#include "client/cli/local_metadata.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::cli {

/// A file of the repo that belongs into the folder. Requires, of whoever fills it in: `name` passed
/// `check_local_name`, `etag` is a blob's name.
struct LocalFile {
    std::string name;
    std::uint64_t size = 0;
    std::string etag;
};

/// How a file in the folder stands to the one in the repo.
enum class LocalState {
    current, ///< it is the same
    missing, ///< there is none
    older,   ///< it is another version
    edited,  ///< it was changed here since it was placed, or placed by somebody else
};

/// The folder of `--local-dir`, with the bookkeeping of the official client: what one of the two
/// has placed, the other finds in order. Works with the caller's rights. Files are staged in
/// `.cache/huggingface/download` and renamed into place, so a reader sees the old file or the new
/// one; like the official client it does not flush to the disk.
class LocalDir {
  public:
    /// Opens or makes the folder and its bookkeeping for files of `commit`. Throws Error.
    LocalDir(const std::string& path, std::string commit);

    /// The folder's real path.
    const std::string& path() const noexcept { return tree_.path(); }
    const std::string& commit() const noexcept { return commit_; }

    /// Judges the file by the official rules: metadata that still covers it tells its etag; without
    /// it the content is hashed. Renews the metadata of a file that is current. `progress` is told
    /// of bytes hashed. Throws Error (storage).
    LocalState check(const LocalFile& file, const CopyProgress& progress);

    /// Puts the source's content where the file belongs, in place of what is there, and writes the
    /// metadata. Waits for another client that is placing the same file; `progress` may throw to
    /// stop that. Throws Error.
    CopyMethod place(const LocalFile& file, const CopySource& source, const CopyProgress& progress);

    /// Keeps the listing of the commit's files that lies beside `snapshot` in the cache, with which
    /// the official client can tell offline whether anything is missing. Without one nothing
    /// happens.
    void keep_listing(const std::string& snapshot);

  private:
    std::optional<LocalMetadata> read_metadata(std::string_view name) const;
    void write_metadata(const LocalFile& file);

    FolderTree tree_;
    std::string commit_;
};

} // namespace wharf::cli
