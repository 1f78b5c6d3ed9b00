#include "client/cli/folder_tree.hpp"

#include "base/error.hpp"
#include "client/cli/text.hpp"

#include <climits>
#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <sys/stat.h>

namespace wharf::cli {

namespace {

constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

/// Makes the folder and those above it.
void make_folders(const std::string& path) {
    for (std::size_t end = path.find('/', 1); end != std::string::npos;
         end = path.find('/', end + 1)) {
        ::mkdir(path.substr(0, end).c_str(), 0777);
    }
    if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
        throw system_error(fmt::format("making the folder {}", printable(path)), errno);
    }
}

std::string real_path(const std::string& path) {
    struct Free {
        void operator()(char* text) const { std::free(text); }
    };
    const std::unique_ptr<char, Free> real{::realpath(path.c_str(), nullptr)};
    if (!real) {
        throw system_error(fmt::format("opening the folder {}", printable(path)), errno);
    }
    return real.get();
}

Error step_error(const std::string& folder, int error) {
    if (error == ELOOP || error == ENOTDIR) {
        return Error{ErrorKind::storage,
                     fmt::format("{} is not a folder, or is a symbolic link", printable(folder)),
                     "links inside the folder of --local-dir are not followed; move it away"};
    }
    return system_error(fmt::format("opening the folder {}", printable(folder)), error);
}

} // namespace

std::string base_name(std::string_view name) {
    return std::string{name.substr(name.rfind('/') + 1)};
}

FolderTree::FolderTree(const std::string& path) {
    make_folders(path);
    path_ = real_path(path);
    root_ = UniqueFd{adopt_fd, ::open(path_.c_str(), folder_flags)};
    if (!root_) {
        throw system_error(fmt::format("opening the folder {}", printable(path)), errno);
    }
}

UniqueFd FolderTree::open_parent(std::string_view name) const {
    UniqueFd folder{adopt_fd, ::openat(root_.value(), ".", folder_flags)};
    for (std::size_t start = 0, end = name.find('/'); end != std::string_view::npos;
         start = end + 1, end = name.find('/', start)) {
        const std::string part{name.substr(start, end - start)};
        UniqueFd next{adopt_fd, ::openat(folder.value(), part.c_str(), folder_flags)};
        if (!next && errno == ENOENT) {
            ::mkdirat(folder.value(), part.c_str(), 0777); // another may be faster; the open tells
            next = UniqueFd{adopt_fd, ::openat(folder.value(), part.c_str(), folder_flags)};
        }
        if (!next) {
            throw step_error(fmt::format("{}/{}", path_, name.substr(0, end)), errno);
        }
        folder = std::move(next);
    }
    return folder;
}

UniqueFd FolderTree::find_parent(std::string_view name) const {
    UniqueFd folder{adopt_fd, ::openat(root_.value(), ".", folder_flags)};
    for (std::size_t start = 0, end = name.find('/'); end != std::string_view::npos && folder;
         start = end + 1, end = name.find('/', start)) {
        const std::string part{name.substr(start, end - start)};
        folder = UniqueFd{adopt_fd, ::openat(folder.value(), part.c_str(), folder_flags)};
    }
    return folder;
}

} // namespace wharf::cli
