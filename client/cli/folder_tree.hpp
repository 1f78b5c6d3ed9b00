#pragma once

#include "base/unique_fd.hpp"

#include <string>
#include <string_view>

namespace wharf::cli {

/// A folder below which files are placed by names from outside. Every folder on the way is opened
/// one step at a time, never through a symbolic link, and what is done with a file is done beside
/// its open parent: nothing that changes meanwhile can lead a write out of the tree.
class FolderTree {
  public:
    /// Opens the folder itself, making it and its parents when missing; here links are followed,
    /// the user named it. Throws Error (storage).
    explicit FolderTree(const std::string& path);

    /// The folder's real path.
    const std::string& path() const noexcept { return path_; }

    /// Opens the folder in which `name` lies, made where it is missing. Requires: `name` passed
    /// `check_local_name`. Throws Error (storage).
    UniqueFd open_parent(std::string_view name) const;

    /// As `open_parent`, but nothing is made: not open when a folder is missing or is a link.
    UniqueFd find_parent(std::string_view name) const;

  private:
    UniqueFd root_;
    std::string path_;
};

/// The part of the name behind its last slash.
std::string base_name(std::string_view name);

} // namespace wharf::cli
