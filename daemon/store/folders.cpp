#include "daemon/store/folders.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/unique_fd.hpp"
#include "daemon/store/acl.hpp"
#include "daemon/store/file_system.hpp"
#include "daemon/store/layout.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::store {

namespace {

namespace fs = std::filesystem;

/// Whatever the umask, others cannot write to what is made here. The error number, or 0.
int make_parents(const fs::path& path) {
    const fs::path parent = path.parent_path();
    if (parent == path || ::access(parent.c_str(), F_OK) == 0) {
        return 0;
    }
    if (const int error = make_parents(parent); error != 0) {
        return error;
    }
    return ::mkdir(parent.c_str(), 0755) == 0 || errno == EEXIST ? 0 : errno;
}

struct stat info_of(const Directory& folder) {
    struct stat info{};
    if (::fstat(folder.fd(), &info) != 0) {
        throw system_error(fmt::format("looking at {}", folder.path()), errno);
    }
    return info;
}

/// Why what we put into the folder would not stay as it is; empty if it does.
std::string weakness(const Directory& folder, const struct stat& info) {
    if (info.st_uid != ::geteuid() && info.st_uid != 0) {
        return fmt::format("{} belongs to another account (uid {})", folder.path(), info.st_uid);
    }
    if ((info.st_mode & others_write) != 0) {
        return fmt::format("other accounts can write to {} (mode {:04o})", folder.path(),
                           info.st_mode & 07777);
    }
    return {};
}

std::string remedy(const Directory& folder) {
    return fmt::format("give it to the daemon's account alone: chown {0} {1} && chmod go-w {1}",
                       ::geteuid(), folder.path());
}

void make_usable(fs::path& path, mode_t mode, std::string_view key) {
    const auto unusable = [&](int error) {
        return Error{ErrorKind::invalid_request,
                     system_error(fmt::format("the folder {} cannot be used", path.native()), error)
                         .message(),
                     fmt::format("set {} to a folder that this user can write to", key)};
    };
    std::error_code failed;
    path = fs::absolute(path, failed).lexically_normal();
    if (!path.has_filename()) { // "x/" and "x" are one folder, and must be one text
        path = path.parent_path();
    }
    if (const int error = make_parents(path); error != 0) {
        throw unusable(error);
    }
    if (::mkdir(path.c_str(), mode) == 0) { // the umask and inherited ACLs shall not matter
        const UniqueFd made{adopt_fd,
                            ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (!made) {
            throw unusable(errno);
        }
        set_plain_mode(made.value(), mode);
    } else if (errno != EEXIST) {
        throw unusable(errno);
    }
    if (!fs::is_directory(path, failed)) {
        throw unusable(ENOTDIR);
    }
    if (::access(path.c_str(), R_OK | W_OK | X_OK) != 0) {
        throw unusable(errno);
    }
}

} // namespace

const fs::path& prepare_cache_dir(fs::path& path) {
    make_usable(path, 0711, "cache.dir");
    if (const auto network = network_file_system_of(path); !network.empty()) {
        log::warning("store", "the cache {} is on {}: other machines must not write to it",
                     path.native(), network);
    }
    return path;
}

const fs::path& prepare_state_dir(fs::path& path, const fs::path& cache_dir) {
    const auto below = fs::absolute(path).lexically_normal().lexically_relative(cache_dir);
    if (!below.empty() && *below.begin() != "..") {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("the state folder {} is inside the cache", path.native()),
                    "set daemon.state_dir to a folder outside of cache.dir"};
    }
    make_usable(path, 0700, "daemon.state_dir");
    if (const auto network = network_file_system_of(path); !network.empty()) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("the state folder {} is on {}, where its database would break",
                                path.native(), network),
                    "set daemon.state_dir to a folder on a local disk; the cache may stay"};
    }
    return path;
}

void set_listing(const Directory& folder, bool listable) {
    const auto info = info_of(folder);
    const mode_t mode = info.st_mode & 07777;
    const mode_t enter = mode & (S_IXGRP | S_IXOTH);
    const mode_t wanted = listable ? mode | enter << 2 : mode & ~mode_t{S_IRGRP | S_IROTH};
    if (info.st_uid != ::geteuid() || mode == wanted || ::fchmod(folder.fd(), wanted) == 0) {
        return;
    }
    // A unit with RestrictSUIDSGID= may not even keep the bit that hands down the group.
    if (errno != EPERM || ::fchmod(folder.fd(), wanted & ~mode_t{S_ISGID}) != 0) {
        throw system_error(fmt::format("setting the mode of {}", folder.path()), errno);
    }
}

bool lets_others_pass(const Directory& folder) {
    return (info_of(folder).st_mode & (S_IXGRP | S_IXOTH)) != 0;
}

void guard_cache_dir(const Directory& cache, bool shared, bool listable) {
    const auto problem = weakness(cache, info_of(cache));
    if (!problem.empty() && !shared) {
        throw Error{ErrorKind::invalid_request,
                    problem + ": they could change what everybody reads",
                    remedy(cache) + "; if they are to write there, set cache.lock_files"};
    }
    if (!problem.empty()) {
        log::warning("store", "{}: who reads what cannot be guarded in this cache", problem);
    }
    set_listing(cache, listable);
}

void guard_state_dir(const Directory& state) {
    const auto info = info_of(state);
    if (const auto problem = weakness(state, info);
        !problem.empty() || info.st_uid != ::geteuid()) {
        throw Error{ErrorKind::invalid_request,
                    problem.empty() ? fmt::format("{} belongs to root", state.path()) : problem,
                    remedy(state)};
    }
    if (!has_plain_mode(state.fd(), 0700)) {
        set_plain_mode(state.fd(), 0700);
    }
}

void write_cachedir_tag(const Directory& cache, Staging& staging) noexcept {
    try {
        const std::string name{layout::cachedir_tag};
        if (!cache.look(name)) {
            staging.replace_file(cache, name, layout::cachedir_tag_content,
                                 Staging::Durability::none);
        }
    } catch (const Error& error) { // nobody's work depends on it
        log::warning("store", "{}", error.message());
    }
}

} // namespace wharf::store
