#include "client/cli/file_walk.hpp"

#include "base/wildcard.hpp"
#include "client/cli/interrupts.hpp"
#include "client/cli/repo_path.hpp"
#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <unistd.h>

namespace wharf::cli {

namespace {

struct CloseFolder {
    void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

/// What is in a folder that was just opened, sorted. Reads through a copy of the descriptor: the
/// names are all that is held while what is below is visited.
std::vector<std::string> names_in(int folder, const std::string& shown) {
    UniqueFd copy{adopt_fd, ::fcntl(folder, F_DUPFD_CLOEXEC, 0)};
    const std::unique_ptr<DIR, CloseFolder> opened{copy ? ::fdopendir(copy.value()) : nullptr};
    if (opened) {
        copy.release();
    } else {
        throw system_error(fmt::format("reading the folder '{}'", printable(shown)), errno);
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(opened.get())) {
        names.emplace_back(entry->d_name);
        if (names.back() == "." || names.back() == "..") {
            names.pop_back();
        }
        errno = 0;
    }
    if (errno != 0) {
        throw system_error(fmt::format("reading the folder '{}'", printable(shown)), errno);
    }
    std::ranges::sort(names);
    return names;
}

bool has_vanished(int error_number) {
    return error_number == ENOENT || error_number == ENOTDIR;
}

Error unreadable(const std::string& shown, int error_number) {
    const Error error = system_error(fmt::format("reading '{}'", printable(shown)), error_number);
    const bool closed = error_number == EACCES || error_number == EPERM;
    return closed ? Error{error.kind(), error.message(),
                          "make it readable for you, or leave it out with --exclude"}
                  : error;
}

std::string joined(const std::string& folder, const std::string& name) {
    return folder.empty() ? name : folder + (folder.ends_with('/') ? "" : "/") + name;
}

/// Whether one of the patterns takes all that is below the folder, whatever it is: one that ends in
/// a star does when it takes the folder with a slash.
bool take_all_below(const std::vector<std::string>& patterns, const std::string& folder) {
    return std::ranges::any_of(patterns, [&](const std::string& pattern) {
        return pattern.ends_with('/')   ? matches(pattern + '*', folder + '/')
               : pattern.ends_with('*') ? matches(pattern, folder + '/')
                                        : false;
    });
}

/// One walk below one folder.
class Walk {
  public:
    Walk(const UploadPlan& plan, const WalkEvents& events) : plan_{plan}, events_{events} {}

    /// Visits all below. `path` is the folder's, relative to where the walk began.
    void visit_folder(int folder, const std::string& path, const std::string& shown) {
        for (const std::string& name : names_in(folder, shown)) {
            Interrupts::check();
            visit(folder, path, joined(shown, name), name);
        }
    }

  private:
    void visit(int folder, const std::string& below, const std::string& shown,
               const std::string& name) {
        const std::string path = joined(below, name);
        struct stat status{};
        if (is_ours_to_skip(below, name)) {
            return;
        }
        if (::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            report(errno, path, shown);
        } else if (S_ISDIR(status.st_mode)) {
            enter(folder, path, shown, name);
        } else if (is_wanted(path)) {
            const bool link = S_ISLNK(status.st_mode);
            const bool found = !link || ::fstatat(folder, name.c_str(), &status, 0) == 0;
            if (!found && !has_vanished(errno) && errno != ELOOP) {
                report(errno, path, shown);
            } else if (!found || !S_ISREG(status.st_mode)) {
                events_.on_passed_over(shown);
            } else {
                offer({joined(plan_.path_in_repo, path), shown, folder, name, link, status});
            }
        }
    }

    void offer(const FoundFile& file) const {
        if (const auto checked = check_repo_path(file.path_in_repo); !checked) {
            events_.on_fault(checked.error());
            return;
        }
        events_.on_file(file);
    }

    void enter(int folder, const std::string& path, const std::string& shown,
               const std::string& name) {
        if (take_all_below(plan_.exclude, path)) {
            return;
        }
        const UniqueFd opened{adopt_fd, ::openat(folder, name.c_str(),
                                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
        if (!opened) {
            report(errno, path, shown);
            return;
        }
        visit_folder(opened.value(), path, shown);
    }

    bool is_excluded(const std::string& path) const { return matches_any(plan_.exclude, path); }

    bool is_wanted(const std::string& path) const {
        return (plan_.include.empty() || matches_any(plan_.include, path)) && !is_excluded(path);
    }

    /// The folders that the official client never sends.
    static bool is_ours_to_skip(const std::string& below, const std::string& name) {
        return name == ".git" ||
               (name == "huggingface" && (below == ".cache" || below.ends_with("/.cache")));
    }

    void report(int error_number, const std::string& path, const std::string& shown) const {
        if (!has_vanished(error_number) && !is_excluded(path)) {
            events_.on_fault(unreadable(shown, error_number));
        }
    }

    const UploadPlan& plan_;
    const WalkEvents& events_;
};

int open_flags(const FoundFile& file) {
    return O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (file.follow ? 0 : O_NOFOLLOW);
}

} // namespace

void find_files(const UploadPlan& plan, const WalkEvents& events) {
    if (plan.is_file) {
        FoundFile file{plan.path_in_repo, plan.local_path, AT_FDCWD, plan.local_path, true, {}};
        if (::stat(plan.local_path.c_str(), &file.status) == 0) {
            events.on_file(file);
        } else if (!has_vanished(errno)) {
            events.on_fault(unreadable(file.shown, errno));
        }
        return;
    }
    const UniqueFd folder{adopt_fd,
                          ::open(plan.local_path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder) {
        throw system_error(fmt::format("reading the folder '{}'", printable(plan.local_path)),
                           errno);
    }
    Walk{plan, events}.visit_folder(folder.value(), "", plan.local_path);
}

OpenedFile open_file(const FoundFile& file) {
    OpenedFile opened{{adopt_fd, ::openat(file.folder, file.name.c_str(), open_flags(file))}, {}};
    if (!opened.descriptor) {
        if (!has_vanished(errno)) {
            throw unreadable(file.shown, errno);
        }
        return opened;
    }
    if (::fstat(opened.descriptor.value(), &opened.status) != 0) {
        throw unreadable(file.shown, errno);
    }
    if (!S_ISREG(opened.status.st_mode)) {
        throw Error{ErrorKind::storage,
                    fmt::format("'{}' is no file any more", printable(file.shown))};
    }
    return opened;
}

Result<void> check_readable(const FoundFile& file) {
    if (::faccessat(file.folder, file.name.c_str(), R_OK, AT_EACCESS) != 0 &&
        !has_vanished(errno)) {
        return unreadable(file.shown, errno);
    }
    return boost::system::in_place_value;
}

} // namespace wharf::cli
