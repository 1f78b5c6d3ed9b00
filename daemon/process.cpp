#include "daemon/process.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace wharf {

std::uint64_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        throw system_error("reading the limit of open descriptors", errno);
    }
    if (limit.rlim_cur != limit.rlim_max) {
        const rlimit raised{.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) {
            return raised.rlim_cur;
        }
        log::warning("daemon", "the limit of open descriptors stays at {}: {}", limit.rlim_cur,
                     std::generic_category().message(errno));
    }
    return limit.rlim_cur;
}

void hide_memory() {
    const rlimit none{};
    if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) {
        throw system_error("hiding the memory of the process", errno);
    }
}

void ensure_private_directory(const std::filesystem::path& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        throw system_error(fmt::format("creating {}", path.native()), errno);
    }
    struct stat found{};
    if (::lstat(path.c_str(), &found) != 0) {
        throw system_error(fmt::format("checking {}", path.native()), errno);
    }
    if (!S_ISDIR(found.st_mode) || found.st_uid != ::geteuid() || (found.st_mode & 0077) != 0) {
        throw Error{ErrorKind::forbidden,
                    fmt::format("{} is not a directory that only you can use", path.native()),
                    "set XDG_RUNTIME_DIR, or remove it if it is yours"};
    }
}

} // namespace wharf
