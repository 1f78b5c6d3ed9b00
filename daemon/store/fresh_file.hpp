#pragma once

#include "base/unique_fd.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/file_system.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace wharf::store {

/// Where uploads are staged. Shared with calls that may outlive the store.
struct UploadFolders {
    std::shared_ptr<const Directory> root; ///< holds a folder for each upload
    Space space;

    static std::string name_of(std::uint64_t upload) { return std::to_string(upload); }

    /// Makes it if there is none.
    Directory make(std::uint64_t upload) const { return root->make(name_of(upload)); }
};

/// A file of an upload while it is made: beside the uploads' folders, and gone with this object
/// unless it was moved into one. Blocks. Throws no_space and storage Errors.
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
    std::string path() const { return folders_.root->path_of(temporary_); }

    UploadFolders folders_;
    std::string name_;
    std::string temporary_;
    UniqueFd fd_;
    bool moved_ = false;
};

} // namespace wharf::store
