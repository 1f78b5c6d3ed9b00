// Cheapest first. A reflink is always right: two files, one set of blocks. A hard link is the same
// file under a second name, so it is only for what nobody edits; the kernel refuses it for files of
// others (fs.protected_hardlinks), across file systems and where the file system knows none, and
// each such refusal just means the next method. copy_file_range stays in the kernel, and read and
// write are for file systems between which it cannot.

#include "client/cli/file_copy.hpp"

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "client/cli/io.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <linux/fs.h>
#include <string_view>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace wharf::cli {

namespace {

/// What one call moves: large enough to be efficient, small enough to show progress and to stop.
constexpr std::uint64_t chunk_size = 16 << 20;
constexpr std::size_t buffer_size = 1 << 20;

UniqueFd create(int folder, const std::string& name) {
    UniqueFd file{adopt_fd, ::openat(folder, name.c_str(),
                                     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666)};
    if (!file) {
        throw system_error("making a file", errno);
    }
    return file;
}

bool make_reflink(const CopySource& source, int folder, const std::string& name) {
    const UniqueFd to = create(folder, name);
    if (::ioctl(to.value(), FICLONE, source.file.value()) == 0) {
        return true;
    }
    ::unlinkat(folder, name.c_str(), 0);
    return false;
}

bool make_hard_link(const CopySource& source, int folder, const std::string& name) {
    // The path may be one of the cache's links to the blob: its target is what is linked.
    if (!source.may_hard_link || source.path.empty() ||
        ::linkat(AT_FDCWD, source.path.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
        return false;
    }
    // What was opened and checked must be what was linked, though the path may have changed.
    struct stat linked{};
    struct stat opened{};
    if (::fstatat(folder, name.c_str(), &linked, AT_SYMLINK_NOFOLLOW) == 0 &&
        ::fstat(source.file.value(), &opened) == 0 && linked.st_ino == opened.st_ino &&
        linked.st_dev == opened.st_dev) {
        return true;
    }
    ::unlinkat(folder, name.c_str(), 0);
    return false;
}

bool is_unsupported(int error) {
    return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
           error == EPERM;
}

/// Copies inside the kernel from the files' positions; false when it cannot between these two.
/// `left` goes down by what was copied.
bool copy_in_kernel(int from, int to, std::uint64_t& left, const CopyProgress& progress) {
    while (left > 0) {
        const auto wanted = static_cast<std::size_t>(std::min(left, chunk_size));
        const ssize_t n = ::copy_file_range(from, nullptr, to, nullptr, wanted, 0);
        if (n < 0 && errno == EINTR) {
            progress(0);
            continue;
        }
        if (n < 0 && !is_unsupported(errno)) {
            throw system_error("copying", errno);
        }
        if (n <= 0) {
            return false; // an end that comes early is judged by plain reading
        }
        left -= static_cast<std::uint64_t>(n);
        progress(static_cast<std::uint64_t>(n));
    }
    return true;
}

void copy_by_hand(int from, int to, std::uint64_t& left, const CopyProgress& progress) {
    std::vector<char> buffer(buffer_size);
    while (left > 0) {
        const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, buffer.size()));
        const ssize_t n = ::read(from, buffer.data(), wanted);
        if (n < 0 && errno != EINTR) {
            throw system_error("reading", errno);
        }
        if (n == 0) {
            throw Error{ErrorKind::integrity, "the file in the cache is shorter than it should be"};
        }
        const auto got = static_cast<std::size_t>(std::max<ssize_t>(n, 0));
        write_all(to, {buffer.data(), got});
        left -= got;
        progress(got);
    }
}

void check_size(const CopySource& source) {
    struct stat info{};
    if (::fstat(source.file.value(), &info) != 0) {
        throw system_error("reading", errno);
    }
    if (!S_ISREG(info.st_mode) || static_cast<std::uint64_t>(info.st_size) != source.size) {
        throw Error{ErrorKind::integrity,
                    fmt::format("the file in the cache has {} bytes, it should have {}",
                                info.st_size, source.size)};
    }
}

void copy_bytes(const CopySource& source, int folder, const std::string& name,
                const CopyProgress& progress) {
    const UniqueFd to = create(folder, name);
    ScopeExit remove{[&] { ::unlinkat(folder, name.c_str(), 0); }};
    std::uint64_t left = source.size;
    ::lseek(source.file.value(), 0, SEEK_SET);
    if (!copy_in_kernel(source.file.value(), to.value(), left, progress)) {
        copy_by_hand(source.file.value(), to.value(), left, progress);
    }
    remove.release();
}

} // namespace

CopyMethod copy_file(const CopySource& source, int folder, const std::string& name,
                     const CopyProgress& progress) {
    check_size(source);
    if (make_reflink(source, folder, name)) {
        progress(source.size);
        return CopyMethod::reflink;
    }
    if (make_hard_link(source, folder, name)) {
        progress(source.size);
        return CopyMethod::hard_link;
    }
    copy_bytes(source, folder, name, progress);
    return CopyMethod::copy;
}

} // namespace wharf::cli
