#pragma once

#include "base/unique_fd.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/file_system.hpp"
#include "daemon/store/layout.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace wharf::store {

/// Where uploads are staged. Shared with calls that may outlive the store.
class UploadFolders {
  public:
    UploadFolders(const Directory& cache, Space space);

    /// An upload's folder; none if there is none.
    std::optional<Directory> open(std::uint64_t upload) const;

    /// The same, made if there is none; notes in `unsynced` what that changed.
    Directory make(std::uint64_t upload, Unsynced* unsynced = nullptr) const;

    /// The folder that all of them are in; none if there were no uploads yet.
    std::optional<Directory> all() const { return staging_->open(layout::uploads); }

    /// Where files are made before they are moved there. What is left in it goes at the next start.
    const Directory& staging() const noexcept { return *staging_; }
    const Space& space() const noexcept { return space_; }

  private:
    /// Not the one whose lock keeps other daemons out: a call that hangs may keep this for long.
    std::shared_ptr<const Directory> staging_;
    Space space_;
};

/// A file of an upload while it is made: in the staging folder, and gone with this object unless it
/// was moved into the upload's. Blocks. Throws no_space and storage Errors.
class FreshFile {
  public:
    /// Requires: nothing has that name.
    FreshFile(UploadFolders folders, const std::string& name);
    FreshFile(const FreshFile&) = delete;
    FreshFile& operator=(const FreshFile&) = delete;
    ~FreshFile();

    /// Writes a piece, unless that would take from the room that is to stay free; what is only
    /// zeros becomes a hole. `whole`: the file's size, for messages.
    void write_at(std::uint64_t offset, std::span<const std::byte> piece, std::uint64_t whole);

    /// Cuts off what is longer, and ends it with a hole where it is shorter.
    void set_size(std::uint64_t size);

    /// Moves it into the upload's folder, under its name.
    void move_to(std::uint64_t upload);

    int fd() const noexcept { return fd_.value(); }

  private:
    std::string path() const { return folders_.staging().path_of(temporary_); }

    UploadFolders folders_;
    std::string name_;
    std::string temporary_;
    UniqueFd fd_;
    bool moved_ = false;
};

} // namespace wharf::store
