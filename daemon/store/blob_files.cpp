#include "daemon/store/blob_files.hpp"

#include "daemon/store/layout.hpp"

#include <climits>
#include <fmt/format.h>

#include <array>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace wharf::store {

namespace {

/// NONBLOCK: something else than a file (a pipe) must not hold us up.
constexpr int open_blob = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

bool is_regular(int fd) {
    struct stat info{};
    return ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
}

/// What a link says that this account made; none if it is something else. Somebody else's could
/// lead us to files of another repo.
std::optional<std::string> own_link(const Directory& folder, const std::string& name) {
    const UniqueFd fd{adopt_fd,
                      ::openat(folder.fd(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC)};
    struct stat info{};
    std::array<char, PATH_MAX> target{};
    if (!fd || ::fstat(fd.value(), &info) != 0 || info.st_uid != ::geteuid()) {
        return {};
    }
    const auto length = ::readlinkat(fd.value(), "", target.data(), target.size());
    if (length <= 0 || target[0] == '/') {
        return {};
    }
    return std::string{target.data(), static_cast<std::size_t>(length)};
}

std::string below(const std::string& repo_folder, std::string_view name) {
    return fmt::format("{}/{}", repo_folder, name);
}

} // namespace

UniqueFd open_beneath(const Directory& root, const std::string& relative) {
    struct open_how how{};
    how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const long fd = ::syscall(SYS_openat2, root.fd(), relative.c_str(), &how, sizeof(how));
    return fd < 0 ? UniqueFd{} : UniqueFd{adopt_fd, static_cast<int>(fd)};
}

Directory make_repo(const Directory& cache, const std::string& repo_folder, Unsynced* unsynced) {
    // snapshots/ first: a repo without it is broken in the eyes of the official scanner.
    cache.make(below(repo_folder, layout::snapshots), unsynced);
    return cache.make(below(repo_folder, layout::blobs), unsynced);
}

const Directory* BlobFiles::folder(const std::string& repo_folder) {
    auto found = folders_.find(repo_folder);
    if (found == folders_.end()) {
        found = folders_.emplace(repo_folder, cache_.open(below(repo_folder, layout::blobs))).first;
    }
    return found->second ? &*found->second : nullptr;
}

std::optional<Stamp> BlobFiles::look(const std::string& repo_folder, const std::string& etag) {
    const Directory* blobs = folder(repo_folder);
    const auto entry = blobs == nullptr ? std::nullopt : blobs->look(etag);
    if (entry && entry->type == EntryType::file) {
        return entry->stamp;
    }
    if (entry && entry->type == EntryType::link) {
        if (const UniqueFd fd = open_linked(repo_folder, etag)) {
            return stamp_of(fd.value());
        }
    }
    return {};
}

UniqueFd BlobFiles::open(const std::string& repo_folder, const std::string& etag) {
    const Directory* blobs = folder(repo_folder);
    if (blobs == nullptr) {
        return {};
    }
    UniqueFd fd{adopt_fd, ::openat(blobs->fd(), etag.c_str(), open_blob)};
    if (fd) {
        return is_regular(fd.value()) ? std::move(fd) : UniqueFd{};
    }
    return open_linked(repo_folder, etag);
}

UniqueFd BlobFiles::open_linked(const std::string& repo_folder, const std::string& etag) {
    const Directory* blobs = folder(repo_folder);
    const auto target = blobs == nullptr ? std::nullopt : own_link(*blobs, etag);
    if (!target) {
        return {};
    }
    UniqueFd fd =
        open_beneath(cache_, fmt::format("{}/{}/{}", repo_folder, layout::blobs, *target));
    return fd && is_regular(fd.value()) ? std::move(fd) : UniqueFd{};
}

} // namespace wharf::store
