#include "daemon/store/staging.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/store/acl.hpp"
#include "daemon/store/folders.hpp"
#include "daemon/store/layout.hpp"
#include "daemon/store/partials.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::store {

namespace {

void require_same_file_system(const Directory& folder, const Directory& cache) {
    if (stamp_of(folder.fd()).device != stamp_of(cache.fd()).device) {
        throw Error{ErrorKind::storage,
                    fmt::format("{} is on another file system than {}: finished files could not be "
                                "moved into the cache in one step",
                                folder.path(), cache.path()),
                    "unmount it, or remove the link"};
    }
}

void write_all(int fd, std::string_view content, const std::string& path) {
    while (!content.empty()) {
        const auto count = ::write(fd, content.data(), content.size());
        if (count < 0 && errno != EINTR) {
            throw system_error(fmt::format("writing {}", path), errno);
        }
        content.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
}

/// Everybody may reach the official client's lock files; their folders have the names of repos.
void open_locks(const Directory& locks, bool listable) {
    struct stat info{};
    if (::fstat(locks.fd(), &info) == 0 && info.st_uid == ::geteuid()) {
        ::fchmod(locks.fd(), (info.st_mode & 07777) | S_IXGRP | S_IXOTH);
    }
    set_listing(locks, listable);
}

void close_to_others(const Directory& folder) {
    struct stat info{};
    if (::fstat(folder.fd(), &info) != 0 || info.st_uid != ::geteuid()) {
        throw Error{ErrorKind::storage, fmt::format("{} belongs to another account", folder.path()),
                    "remove it: only unfinished downloads are in it"};
    }
    set_plain_mode(folder.fd(), 0700);
}

/// Reasons to copy instead: too many names, not our file (fs.protected_hardlinks), a file system
/// without hard links.
bool cannot_link(int error) {
    return error == EMLINK || error == EPERM || error == EACCES || error == EOPNOTSUPP;
}

} // namespace

Staging::Staging(const Directory& cache, std::chrono::seconds keep_partials, bool listable)
    : folder_{std::make_shared<const Directory>(cache.make(layout::staging))} {
    open_locks(cache.make(layout::locks), listable);
    close_to_others(*folder_);
    require_same_file_system(*folder_, cache);
    // Two daemons on one cache would remove each other's unfinished files.
    claim(*folder_, fmt::format("the cache {}", cache.path()), "cache.dir");
    remove_unusable(folder_, keep_partials);
}

std::string Staging::new_name(std::string_view stem) {
    // Unique without chance: no such names were left at start, and the folder is ours alone.
    return fmt::format("{}.{:08x}.tmp", stem, next_.fetch_add(1, std::memory_order_relaxed));
}

void Staging::move(const std::string& staged, const Directory& folder, const std::string& name) {
    if (::renameat(folder_->fd(), staged.c_str(), folder.fd(), name.c_str()) != 0) {
        throw system_error(fmt::format("putting {} in place", folder.path_of(name)), errno);
    }
}

void Staging::replace_file(const Directory& folder, const std::string& name,
                           std::string_view content, Durability durability) {
    const std::string staged = new_name("file");
    const std::string path = folder.path_of(name);
    ScopeExit clean_up{[&] { ::unlinkat(folder_->fd(), staged.c_str(), 0); }};
    const UniqueFd fd{adopt_fd,
                      ::openat(folder_->fd(), staged.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!fd) {
        throw system_error(fmt::format("creating {}", path), errno);
    }
    write_all(fd.value(), content, path);
    if (::fchmod(fd.value(), 0644) != 0) {
        throw system_error(fmt::format("opening up {}", path), errno);
    }
    if (durability == Durability::flushed && ::fdatasync(fd.value()) != 0) {
        throw system_error(fmt::format("flushing {}", path), errno);
    }
    move(staged, folder, name);
    clean_up.release();
    if (durability == Durability::flushed) {
        folder.sync();
    }
}

void Staging::replace_link(const Directory& folder, const std::string& name,
                           const std::string& target) {
    if (::symlinkat(target.c_str(), folder.fd(), name.c_str()) == 0) {
        return; // nothing was there, the usual case
    }
    if (errno != EEXIST) {
        throw system_error(fmt::format("linking {}", folder.path_of(name)), errno);
    }
    const std::string staged = new_name("link");
    if (::symlinkat(target.c_str(), folder_->fd(), staged.c_str()) != 0) {
        throw system_error(fmt::format("linking {}", folder.path_of(name)), errno);
    }
    ScopeExit clean_up{[&] { ::unlinkat(folder_->fd(), staged.c_str(), 0); }};
    move(staged, folder, name);
    clean_up.release();
}

Staging::Linked Staging::replace_with_hard_link(const Directory& from, const std::string& name,
                                                const Directory& to, const std::string& to_name,
                                                const Stamp& expected) {
    const std::string staged = new_name(name);
    if (::linkat(from.fd(), name.c_str(), folder_->fd(), staged.c_str(), 0) != 0) {
        if (errno == ENOENT) {
            return Linked::changed;
        }
        if (cannot_link(errno)) {
            return Linked::unable;
        }
        throw system_error(fmt::format("linking {}", from.path_of(name)), errno);
    }
    // Always: rename(2) leaves two names of one file as they are.
    const ScopeExit clean_up{[&] { ::unlinkat(folder_->fd(), staged.c_str(), 0); }};
    const auto linked = folder_->look(staged);
    if (linked && linked->type == EntryType::link) {
        return Linked::unable; // a shared blob of the official client: give the repo its own
    }
    if (!linked || linked->stamp != expected) {
        return Linked::changed;
    }
    move(staged, to, to_name);
    return Linked::yes;
}

} // namespace wharf::store
