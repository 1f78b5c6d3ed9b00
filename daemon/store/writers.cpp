#include "daemon/store/writers.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "daemon/store/acl.hpp"
#include "daemon/store/layout.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::store {

namespace {

enum class Rights { ours, open, foreign };

Rights rights_of(int fd) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) {
        throw system_error("looking at an open file", errno);
    }
    if (info.st_uid != ::geteuid()) {
        return Rights::foreign;
    }
    return (info.st_mode & others_write) != 0 ? Rights::open : Rights::ours;
}

/// Not keeping S_ISGID: a unit with RestrictSUIDSGID= may not set it, and nothing here needs it.
void close_to_writers(int fd) {
    struct stat info{};
    if (rights_of(fd) == Rights::open &&
        (::fstat(fd, &info) != 0 || ::fchmod(fd, info.st_mode & 0777 & ~others_write) != 0)) {
        throw system_error("taking the right to write from others", errno);
    }
}

/// The folder itself last: should this be interrupted, the next start sees that it must go on.
void close_all(const Directory& folder) {
    for (const auto& name : folder.list()) {
        const auto entry = folder.look(name);
        if (entry && entry->type == EntryType::folder) {
            if (const auto below = folder.open(name)) {
                close_all(*below);
            }
        } else if (entry && entry->type == EntryType::file) {
            const UniqueFd fd{adopt_fd, ::openat(folder.fd(), name.c_str(),
                                                 O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
            if (fd) {
                close_to_writers(fd.value());
            }
        }
    }
    close_to_writers(folder.fd());
}

void check_repo(const Directory& repo) {
    bool open = rights_of(repo.fd()) == Rights::open;
    for (const auto name : {layout::blobs, layout::refs, layout::snapshots, layout::trees}) {
        const auto folder = repo.open(name);
        const auto rights = folder ? rights_of(folder->fd()) : Rights::ours;
        open = open || rights == Rights::open;
        if (rights == Rights::foreign) {
            log::warning("store", "{} belongs to another account, which can change what is in it",
                         folder->path());
        }
    }
    if (open) {
        close_all(repo);
        log::info("store", "{} could be written to by others: not any more", repo.path());
    }
}

} // namespace

void keep_writers_out(const Directory& cache) {
    if (const auto locks = cache.open(layout::locks)) {
        close_to_writers(locks->fd());
    }
    for (const auto& name : cache.list()) {
        try {
            if (const auto repo = layout::is_repo_folder(name) ? cache.open(name) : std::nullopt) {
                check_repo(*repo);
            }
        } catch (const Error& error) { // one odd folder must not keep the rest from being served
            log::warning("store", "{} may be open to others: {}", name, error.message());
        }
    }
}

} // namespace wharf::store
