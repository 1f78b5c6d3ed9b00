#pragma once

#include "base/unique_fd.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace wharf::store {

/// Folders in which entries were made that a power failure could still take back. Full paths.
using Unsynced = std::set<std::string>;

/// What identifies a file's content as long as nobody writes to it.
struct Stamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime_ns = 0;
    bool operator==(const Stamp&) const = default;
};

Stamp to_stamp(const struct stat& info);

/// The stamp of an open file. Throws storage Errors.
Stamp stamp_of(int fd);

enum class EntryType { file, link, folder, other };

struct Entry {
    EntryType type = EntryType::other;
    Stamp stamp; ///< of the link itself if it is one
};

/// A folder held open. Everything below the cache is reached from one of these, component by
/// component and never through a symbolic link: whoever can put a link into the cache cannot make
/// us read or write elsewhere. Names are single components, `relative` paths may have several.
/// Const members may be called from several threads.
class Directory {
  public:
    /// Opens the folder where a tree begins; links on the way there are the administrator's.
    /// Folders that are made directly in it get `mode`, whatever the umask.
    explicit Directory(const std::filesystem::path& path, mode_t mode = 0755);

    /// Folders that are made directly in it from now on get this mode.
    void set_mode_of_new(mode_t mode) noexcept { mode_ = mode; }

    /// None if it does not exist. Throws a storage Error if a component is a link or a file.
    std::optional<Directory> open(std::string_view relative) const;

    /// Opens, creating what is missing (mode 0755 whatever the umask, and without ACLs that it
    /// would inherit; see the constructor for the first component); notes in `unsynced` what that
    /// changed. Throws like open(). Copes with somebody who removes it at the same time.
    Directory make(std::string_view relative, Unsynced* unsynced = nullptr) const;

    /// What is there under a name; none if nothing. A link is not followed.
    std::optional<Entry> look(const std::string& name) const;

    /// What a link says; none if there is nothing or something else.
    std::optional<std::string> read_link(const std::string& name) const;

    /// A file's first `limit` bytes; none if there is no regular file of that name.
    std::optional<std::string> read_file(const std::string& name, std::size_t limit) const;

    /// Names of all entries but "." and "..", in no order.
    std::vector<std::string> list() const;

    /// Removes a name that is no folder. False if there is none.
    bool remove(const std::string& name) const;

    /// Makes entries durable.
    void sync() const;

    int fd() const noexcept { return fd_.value(); }

    /// For messages and for `Unsynced`; nothing is opened by it.
    const std::string& path() const noexcept { return path_; }
    std::string path_of(std::string_view name) const;

  private:
    Directory(UniqueFd fd, std::string path) noexcept
        : fd_{std::move(fd)}, path_{std::move(path)} {}

    UniqueFd open_component(const std::string& name) const;
    UniqueFd make_component(const std::string& name, Unsynced* unsynced) const;
    std::optional<Directory> try_make(std::string_view relative, Unsynced* unsynced) const;

    UniqueFd fd_;
    std::string path_;
    mode_t mode_ = 0755; ///< of what is made in it
};

/// Keeps another daemon from using the folder as long as it is held open here. Throws a storage
/// Error that names `what` and the configuration `key` if one does already. Where folders cannot be
/// locked that is only logged.
void claim(const Directory& folder, std::string_view what, std::string_view key);

/// Flushes each of the folders; those that are gone are passed over.
void sync_all(const Unsynced& folders);

} // namespace wharf::store
