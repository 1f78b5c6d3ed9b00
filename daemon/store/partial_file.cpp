#include "daemon/store/partial_file.hpp"

#include "base/error.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/file_system.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <sys/stat.h>

namespace wharf::store {

PartialFile::PartialFile(std::filesystem::path path, std::string etag, std::uint64_t size)
    : path_{std::move(path)}, etag_{std::move(etag)}, size_{size},
      fd_{adopt_fd,
          ::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)} {
    if (!fd_) {
        throw system_error(fmt::format("creating {}", path_.native()), errno);
    }
    try {
        reserve();
    } catch (...) { // no destructor runs for what was not constructed
        ::unlink(path_.c_str());
        throw;
    }
}

PartialFile::~PartialFile() {
    if (!committed_) {
        ::unlink(path_.c_str());
    }
}

void PartialFile::reserve() {
    const auto length = static_cast<off_t>(size_);
    int result = 0;
    do {
        result = size_ == 0 ? 0 : ::fallocate(fd(), 0, 0, length);
    } while (result != 0 && errno == EINTR);
    if (result == 0) {
        return;
    }
    if (errno == ENOSPC || errno == EDQUOT) {
        throw no_space(path_.parent_path(), size_);
    }
    // Not every file system can reserve (NFS before 4.2, some FUSE): at least give it its size.
    if ((errno != EOPNOTSUPP && errno != ENOSYS) || ::ftruncate(fd(), length) != 0) {
        throw system_error(fmt::format("reserving space for {}", path_.native()), errno);
    }
}

void PartialFile::write_at(std::uint64_t offset, std::span<const std::byte> data) {
    assert(offset + data.size() <= size_);
    while (!data.empty()) {
        const auto count = ::pwrite(fd(), data.data(), data.size(), static_cast<off_t>(offset));
        if (count < 0 && errno != EINTR) {
            throw system_error(fmt::format("writing {}", path_.native()), errno);
        }
        const auto written = count > 0 ? static_cast<std::size_t>(count) : 0;
        data = data.subspan(written);
        offset += written;
    }
}

void PartialFile::read_at(std::uint64_t offset, std::span<std::byte> buffer) const {
    while (!buffer.empty()) {
        const auto count = ::pread(fd(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
        if (count < 0 && errno != EINTR) {
            throw system_error(fmt::format("reading {}", path_.native()), errno);
        }
        if (count == 0) {
            throw Error{ErrorKind::storage, fmt::format("{} is too short", path_.native())};
        }
        const auto got = count > 0 ? static_cast<std::size_t>(count) : 0;
        buffer = buffer.subspan(got);
        offset += got;
    }
}

void PartialFile::start_writeback(std::uint64_t offset, std::uint64_t length) noexcept {
    // Only advice: what goes wrong here shows again, and is reported, when flushing.
    ::sync_file_range(fd(), static_cast<off_t>(offset), static_cast<off_t>(length),
                      SYNC_FILE_RANGE_WRITE);
}

void PartialFile::flush() {
    // The mode first: then the journal carries it no later than the name.
    if (::fchmod(fd(), 0444) != 0) {
        throw system_error(fmt::format("making {} read-only", path_.native()), errno);
    }
    if (::fdatasync(fd()) != 0) {
        throw system_error(fmt::format("flushing {}", path_.native()), errno);
    }
}

bool PartialFile::commit(const Directory& folder) {
    assert(!committed_);
    flush();
    if (::renameat(AT_FDCWD, path_.c_str(), folder.fd(), etag_.c_str()) != 0) {
        if (errno == ENOENT &&
            ::faccessat(AT_FDCWD, path_.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            return false; // ours is there, so it is the folder that is gone
        }
        throw system_error(fmt::format("publishing {}", folder.path_of(etag_)), errno);
    }
    committed_ = true;
    folder.sync();
    return true;
}

} // namespace wharf::store
