#include "daemon/store/directory.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/read_up_to.hpp"
#include "daemon/store/acl.hpp"

#include <climits>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <sys/stat.h>

namespace wharf::store {

namespace {

constexpr int open_folder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

EntryType to_type(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return EntryType::file;
    case S_IFLNK:
        return EntryType::link;
    case S_IFDIR:
        return EntryType::folder;
    default:
        return EntryType::other;
    }
}

/// Takes the first component off a relative path.
std::string next_component(std::string_view& rest) {
    const auto slash = rest.find('/');
    const auto component = rest.substr(0, slash);
    rest.remove_prefix(slash == std::string_view::npos ? rest.size() : slash + 1);
    if (component.empty() || component == "." || component == "..") {
        throw Error{ErrorKind::internal, fmt::format("'{}' is no name in a folder", component)};
    }
    return std::string{component};
}

} // namespace

Stamp to_stamp(const struct stat& info) {
    return {.device = info.st_dev,
            .inode = info.st_ino,
            .size = static_cast<std::uint64_t>(info.st_size),
            .mtime_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

Stamp stamp_of(int fd) {
    struct stat info{};
    if (::fstat(fd, &info) != 0) {
        throw system_error("looking at an open file", errno);
    }
    return to_stamp(info);
}

Directory::Directory(const std::filesystem::path& path, mode_t mode)
    : fd_{adopt_fd, ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)}, path_{path},
      mode_{mode} {
    if (!fd_) {
        throw system_error(fmt::format("opening the folder {}", path_), errno);
    }
}

std::string Directory::path_of(std::string_view name) const {
    return name.empty() ? path_ : fmt::format("{}/{}", path_, name);
}

/// Closed if there is none.
UniqueFd Directory::open_component(const std::string& name) const {
    UniqueFd fd{adopt_fd, ::openat(fd_.value(), name.c_str(), open_folder)};
    if (!fd && errno != ENOENT) {
        if (errno == ELOOP || errno == ENOTDIR) {
            throw Error{ErrorKind::storage,
                        fmt::format("{} is in the way: it should be a folder", path_of(name)),
                        "move it away; wharf follows no links inside the cache"};
        }
        throw system_error(fmt::format("opening the folder {}", path_of(name)), errno);
    }
    return fd;
}

/// Closed if this folder itself, or the new one, was removed at the same time.
UniqueFd Directory::make_component(const std::string& name, Unsynced* unsynced) const {
    UniqueFd fd = open_component(name);
    if (fd) {
        return fd;
    }
    const bool made = ::mkdirat(fd_.value(), name.c_str(), mode_) == 0;
    if (!made && errno != EEXIST && errno != ENOENT) {
        throw system_error(fmt::format("creating the folder {}", path_of(name)), errno);
    }
    fd = open_component(name);
    if (fd && made) {
        set_plain_mode(fd.value(), mode_);
    }
    if (unsynced != nullptr) {
        unsynced->insert(path_);
    }
    return fd;
}

std::optional<Directory> Directory::open(std::string_view relative) const {
    std::optional<Directory> current;
    while (!relative.empty()) {
        const Directory& parent = current ? *current : *this;
        const std::string name = next_component(relative);
        UniqueFd fd = parent.open_component(name);
        if (!fd) {
            return {};
        }
        current = Directory{std::move(fd), parent.path_of(name)};
    }
    return current;
}

std::optional<Directory> Directory::try_make(std::string_view relative, Unsynced* unsynced) const {
    std::optional<Directory> current;
    while (!relative.empty()) {
        const Directory& parent = current ? *current : *this;
        const std::string name = next_component(relative);
        UniqueFd fd = parent.make_component(name, unsynced);
        if (!fd) {
            return {};
        }
        current = Directory{std::move(fd), parent.path_of(name)};
    }
    return current;
}

Directory Directory::make(std::string_view relative, Unsynced* unsynced) const {
    constexpr int tries = 3; // whoever removes it again and again wins
    for (int i = 0; i < tries; ++i) {
        if (auto made = try_make(relative, unsynced)) {
            return std::move(*made);
        }
    }
    throw system_error(fmt::format("creating the folder {}", path_of(relative)), ENOENT);
}

std::optional<Entry> Directory::look(const std::string& name) const {
    struct stat info{};
    if (::fstatat(fd_.value(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0) {
        return Entry{.type = to_type(info.st_mode), .stamp = to_stamp(info)};
    }
    if (errno != ENOENT) {
        throw system_error(fmt::format("looking at {}", path_of(name)), errno);
    }
    return {};
}

std::optional<std::string> Directory::read_link(const std::string& name) const {
    std::array<char, PATH_MAX> target{};
    const auto length = ::readlinkat(fd_.value(), name.c_str(), target.data(), target.size());
    if (length >= 0) {
        return std::string{target.data(), static_cast<std::size_t>(length)};
    }
    if (errno != ENOENT && errno != EINVAL) {
        throw system_error(fmt::format("reading the link {}", path_of(name)), errno);
    }
    return {};
}

std::optional<std::string> Directory::read_file(const std::string& name, std::size_t limit) const {
    // NONBLOCK: a pipe that somebody put there must not hold us up.
    const UniqueFd fd{adopt_fd, ::openat(fd_.value(), name.c_str(),
                                         O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    struct stat info{};
    if (!fd || ::fstat(fd.value(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return {};
    }
    auto content = read_up_to(fd.value(), std::min(limit, static_cast<std::size_t>(info.st_size)));
    if (!content) {
        throw system_error(fmt::format("reading {}", path_of(name)), errno);
    }
    return content;
}

std::vector<std::string> Directory::list() const {
    // A descriptor of its own: the position in the folder belongs to the open file.
    const int own = ::openat(fd_.value(), ".", open_folder);
    const std::unique_ptr<DIR, decltype([](DIR* d) { ::closedir(d); })> stream{
        own < 0 ? nullptr : ::fdopendir(own)};
    if (!stream) {
        throw system_error(fmt::format("listing {}", path_), errno);
    }
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(stream.get())) {
        const std::string_view name{entry->d_name};
        if (name != "." && name != "..") {
            names.emplace_back(name);
        }
    }
    return names;
}

bool Directory::remove(const std::string& name) const {
    if (::unlinkat(fd_.value(), name.c_str(), 0) == 0) {
        return true;
    }
    if (errno != ENOENT) {
        throw system_error(fmt::format("removing {}", path_of(name)), errno);
    }
    return false;
}

void Directory::sync() const {
    // EINVAL: file systems that cannot flush a folder also have nothing to flush.
    if (::fsync(fd_.value()) != 0 && errno != EINVAL) {
        throw system_error(fmt::format("flushing {}", path_), errno);
    }
}

void claim(const Directory& folder, std::string_view what, std::string_view key) {
    if (::flock(folder.fd(), LOCK_EX | LOCK_NB) == 0) {
        return;
    }
    if (errno == EWOULDBLOCK) {
        throw Error{ErrorKind::storage, fmt::format("another wharfd already uses {}", what),
                    fmt::format("stop that one, or set another folder for {}", key)};
    }
    log::warning("store", "{} cannot be locked: make sure that only one wharfd uses it",
                 folder.path());
}

void sync_all(const Unsynced& folders) {
    for (const auto& path : folders) {
        const UniqueFd fd{adopt_fd, ::open(path.c_str(), open_folder)};
        if (fd && ::fsync(fd.value()) != 0 && errno != EINVAL) {
            throw system_error(fmt::format("flushing {}", path), errno);
        }
    }
}

} // namespace wharf::store
