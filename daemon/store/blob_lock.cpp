#include "daemon/store/blob_lock.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/layout.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>

namespace wharf::store {

namespace {

constexpr int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

mode_t mode_of(const Directory& folder) {
    struct stat info{};
    return ::fstat(folder.fd(), &info) == 0 ? info.st_mode & 0777 : 0;
}

/// Opens or makes a repo's folder of locks. Whoever may make such folders in `.locks` may also make
/// locks in ours: the official client needs both.
Directory lock_folder(const Directory& cache, const std::string& repo_folder) {
    const Directory locks = cache.make(layout::locks);
    Unsynced made;
    Directory folder = locks.make(repo_folder, &made);
    if (!made.empty()) {
        ::fchmod(folder.fd(), mode_of(locks)); // if it fails others only cannot lock
    }
    return folder;
}

/// Opens the lock file, with the official client's mode when we create it: whoever may make locks
/// may take it. Closed, with errno, on failure.
UniqueFd open_lock_file(const Directory& folder, const std::string& name) {
    UniqueFd fd{adopt_fd,
                ::openat(folder.fd(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | flags, 0664)};
    if (fd) {
        ::fchmod(fd.value(), 0664 | (mode_of(folder) & S_IWOTH)); // against the umask; as above
        return fd;
    }
    if (errno == EEXIST) {
        fd = UniqueFd{adopt_fd, ::openat(folder.fd(), name.c_str(), O_RDWR | flags)};
    }
    if (!fd && errno == EACCES) { // somebody else's: to lock it, reading is enough
        fd = UniqueFd{adopt_fd, ::openat(folder.fd(), name.c_str(), O_RDONLY | flags)};
    }
    return fd;
}

/// Newer versions of the other side's library may remove the file when they release it: a lock on a
/// removed file keeps nobody out.
bool still_named(int fd, const Directory& folder, const std::string& name) {
    const auto entry = folder.look(name);
    return entry && entry->stamp.inode == stamp_of(fd).inode;
}

BlobLock go_without(const std::string& path, std::string_view reason) {
    log::warning("store", "{} cannot be locked ({}): going on without", path, reason);
    return BlobLock{};
}

} // namespace

std::optional<BlobLock> try_lock_blob(const Directory& cache, const std::string& repo_folder,
                                      const std::string& etag) {
    const std::string name = etag + ".lock";
    try {
        const Directory folder = lock_folder(cache, repo_folder);
        UniqueFd fd = open_lock_file(folder, name);
        if (!fd) {
            const int error = errno;
            if (error == ENOENT) {
                return {}; // removed between our two tries: it is somebody's
            }
            return go_without(folder.path_of(name), system_error("opening it", error).message());
        }
        if (::flock(fd.value(), LOCK_EX | LOCK_NB) != 0) {
            const int error = errno;
            if (error == EWOULDBLOCK || error == EACCES || error == EINTR) {
                return {};
            }
            return go_without(folder.path_of(name), system_error("flock", error).message());
        }
        return still_named(fd.value(), folder, name) ? std::optional{BlobLock{std::move(fd)}}
                                                     : std::nullopt;
    } catch (const Error& error) {
        return go_without(fmt::format("{}/{}", layout::locks, repo_folder), error.message());
    }
}

} // namespace wharf::store
