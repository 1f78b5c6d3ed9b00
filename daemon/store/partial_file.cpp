#include "daemon/store/partial_file.hpp"

#include "base/error.hpp"
#include "daemon/store/file_system.hpp"

#include <fmt/format.h>

#include <cassert>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace wharf::store {

namespace {

UniqueFd create(const Directory& folder, const std::string& name) {
    UniqueFd fd{adopt_fd, ::openat(folder.fd(), name.c_str(),
                                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!fd) {
        throw system_error(fmt::format("creating {}", folder.path_of(name)), errno);
    }
    return fd;
}

} // namespace

PartialFile::PartialFile(std::shared_ptr<const Directory> folder, std::string name,
                         std::string etag, std::uint64_t size)
    : folder_{std::move(folder)}, name_{std::move(name)}, etag_{std::move(etag)}, size_{size},
      fd_{create(*folder_, name_)} {}

PartialFile::PartialFile(std::shared_ptr<const Directory> folder, std::string name,
                         std::string etag, std::uint64_t size, UniqueFd fd,
                         std::optional<PieceLog> log)
    : folder_{std::move(folder)}, name_{std::move(name)}, etag_{std::move(etag)}, size_{size},
      fd_{std::move(fd)}, log_{std::move(log)} {}

PartialFile::~PartialFile() {
    if (!log_) {
        discard();
    }
}

void PartialFile::discard() noexcept {
    if (gone_) {
        return;
    }
    gone_ = true;
    ::unlinkat(folder_->fd(), name_.c_str(), 0);
    if (log_) {
        log_->remove();
    }
}

void PartialFile::reserve() {
    reserve_space(fd(), size_, folder_->path());
}

void PartialFile::write_at(std::uint64_t offset, std::span<const std::byte> data) {
    assert(offset + data.size() <= size_);
    while (!data.empty()) {
        const auto count = ::pwrite(fd(), data.data(), data.size(), static_cast<off_t>(offset));
        if (count < 0 && errno != EINTR) {
            throw disk_error(fmt::format("writing {}", path()), folder_->path(), size_, errno);
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
            throw system_error(fmt::format("reading {}", path()), errno);
        }
        if (count == 0) {
            throw Error{ErrorKind::storage, fmt::format("{} is too short", path())};
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

void PartialFile::record_piece(std::size_t index, std::uint64_t checksum) {
    if (log_) {
        log_->record(index, checksum);
    }
}

void PartialFile::forget_piece(std::size_t index) {
    if (log_) {
        log_->forget(index);
    }
}

void PartialFile::sync_progress() {
    if (!log_) {
        return;
    }
    flush();
    log_->sync();
    if (!name_durable_) {
        folder_->sync();
        name_durable_ = true;
    }
}

/// The kernel reports a write that failed to one flush only, and takes the pages for written after
/// it. So the first failure is the last word about this open file; and the pages are dropped, so
/// that whoever resumes reads what the disk has, not what it should have.
void PartialFile::flush() {
    if (!flush_failed_ && ::fdatasync(fd()) == 0) {
        return;
    }
    const int error = flush_failed_ ? EIO : errno;
    flush_failed_ = true;
    ::posix_fadvise(fd(), 0, 0, POSIX_FADV_DONTNEED);
    throw disk_error(fmt::format("flushing {}", path()), folder_->path(), size_, error);
}

void PartialFile::seal() {
    if (sealed_) {
        return;
    }
    // The mode first: then the journal carries it no later than the name.
    if (::fchmod(fd(), 0444) != 0) {
        throw system_error(fmt::format("making {} read-only", path()), errno);
    }
    if (!durable_) {
        flush();
    }
    sealed_ = true;
}

bool PartialFile::move_to(const Directory& blobs) {
    assert(sealed_ && !gone_);
    if (::renameat(folder_->fd(), name_.c_str(), blobs.fd(), etag_.c_str()) != 0) {
        if (errno == ENOENT &&
            ::faccessat(folder_->fd(), name_.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            return false; // ours is there, so it is the folder that is gone
        }
        throw system_error(fmt::format("publishing {}", blobs.path_of(etag_)), errno);
    }
    gone_ = true;
    if (log_) { // last: a log alone is removed at the next start
        log_->remove();
    }
    return true;
}

} // namespace wharf::store
