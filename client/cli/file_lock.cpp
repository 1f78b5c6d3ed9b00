#include "client/cli/file_lock.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <ctime>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::cli {

namespace {

/// Whether the open file is still the one with that name: its holder removes it before letting go.
bool still_there(int folder, const std::string& name, int fd) {
    struct stat named{};
    struct stat opened{};
    return ::fstatat(folder, name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           ::fstat(fd, &opened) == 0 && named.st_ino == opened.st_ino &&
           named.st_dev == opened.st_dev;
}

} // namespace

FileLock::FileLock(int folder, std::string name, const std::function<void()>& tick)
    : folder_{folder}, name_{std::move(name)} {
    static constexpr timespec pause{0, 100'000'000};
    for (;;) {
        // Group-writable, as the official client makes them for folders that people share.
        UniqueFd file{adopt_fd, ::openat(folder_, name_.c_str(),
                                         O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0664)};
        if (!file) {
            throw system_error(fmt::format("opening the lock {}", name_), errno);
        }
        if (::flock(file.value(), LOCK_EX | LOCK_NB) == 0) {
            if (still_there(folder_, name_, file.value())) {
                file_ = std::move(file);
                return;
            }
        } else if (errno == EWOULDBLOCK || errno == EINTR) {
            tick();
            ::nanosleep(&pause, nullptr);
        } else {
            return; // no locks here (NFS, FUSE)
        }
    }
}

FileLock::~FileLock() {
    if (file_) {
        ::unlinkat(folder_, name_.c_str(), 0);
    }
}

} // namespace wharf::cli
