#pragma once

#include "daemon/hub/types.hpp"

#include <optional>
#include <string>
#include <string_view>

/// Names in the official cache layout. Nothing here touches the disk.
namespace wharf::store::layout {

inline constexpr std::string_view blobs = "blobs";
inline constexpr std::string_view refs = "refs";
inline constexpr std::string_view snapshots = "snapshots";
inline constexpr std::string_view trees = "trees";

/// The only entry beside repo folders in which the official scanner expects no repo: our own folder
/// lives in it, on the file system of the blobs.
inline constexpr std::string_view locks = ".locks";
inline constexpr std::string_view staging = ".locks/.wharf";

/// In the staging folder: what is to be pushed, a folder for each upload.
inline constexpr std::string_view uploads = "uploads";

inline constexpr std::string_view cachedir_tag = "CACHEDIR.TAG";

/// What that file says; backup programs look at the first line (bford.info/cachedir).
inline constexpr std::string_view cachedir_tag_content =
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file marks a cache directory, made by wharf in the layout of huggingface_hub.\n"
    "# Its content can be downloaded again. For information about cache directory tags, see:\n"
    "#\thttps://bford.info/cachedir/\n";

/// "models--org--name".
std::string repo_folder(const hub::RepoId& repo);

/// The repo whose folder has that name; none if it is no repo's.
std::optional<hub::RepoId> repo_of(std::string_view folder);

/// Whether a name in the cache folder is that of a repo's folder.
bool is_repo_folder(std::string_view name) noexcept;

/// What the pointer of `path` in a snapshot links to: "../../blobs/<etag>", and one "../" more for
/// each folder in the path.
std::string pointer_target(std::string_view path, std::string_view etag);

/// "a/b/c" → {"a/b", "c"}; "c" → {"", "c"}.
struct SplitPath {
    std::string_view folder;
    std::string_view name;
};
SplitPath split(std::string_view path) noexcept;

} // namespace wharf::store::layout
