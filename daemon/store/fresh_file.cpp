#include "daemon/store/fresh_file.hpp"

#include "base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

namespace wharf::store {

namespace {

constexpr mode_t private_mode = 0700;

/// What is looked at at a time for being zeros. Smaller holes are hardly worth the calls.
constexpr std::size_t hole = 64 << 10;

bool is_zeros(std::span<const std::byte> bytes) {
    return bytes.empty() || (bytes.front() == std::byte{} &&
                             std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

/// As rename(2), but never in place of something. 0 or the error number.
int rename_new(int from, const std::string& name, int to, const std::string& new_name) {
    if (::renameat2(from, name.c_str(), to, new_name.c_str(), RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return errno;
    }
    // The file system cannot say it. Nobody but us makes names there.
    if (::faccessat(to, new_name.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        return EEXIST;
    }
    return ::renameat(from, name.c_str(), to, new_name.c_str()) == 0 ? 0 : errno;
}

} // namespace

UploadFolders::UploadFolders(const Directory& cache, Space space) : space_{std::move(space)} {
    Directory staging = cache.make(layout::staging);
    staging.set_mode_of_new(private_mode);
    staging_ = std::make_shared<const Directory>(std::move(staging));
}

std::optional<Directory> UploadFolders::open(std::uint64_t upload) const {
    return staging_->open(fmt::format("{}/{}", layout::uploads, upload));
}

Directory UploadFolders::make(std::uint64_t upload, Unsynced* unsynced) const {
    Directory all = staging_->make(layout::uploads, unsynced);
    all.set_mode_of_new(private_mode);
    return all.make(std::to_string(upload), unsynced);
}

FreshFile::FreshFile(UploadFolders folders, const std::string& name)
    : folders_{std::move(folders)}, name_{name}, temporary_{name + ".tmp"},
      fd_{adopt_fd, ::openat(folders_.staging().fd(), temporary_.c_str(),
                             O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)} {
    if (!fd_) {
        throw system_error(fmt::format("creating {}", path()), errno);
    }
}

FreshFile::~FreshFile() {
    if (!moved_) {
        ::unlinkat(folders_.staging().fd(), temporary_.c_str(), 0);
    }
}

void FreshFile::write_at(std::uint64_t offset, std::span<const std::byte> piece,
                         std::uint64_t whole) {
    if (!is_zeros(piece) && folders_.space().available() < piece.size()) {
        throw folders_.space().lack_of(whole);
    }
    while (!piece.empty()) {
        const auto block = piece.first(std::min(piece.size(), hole));
        auto count = static_cast<ssize_t>(block.size());
        if (!is_zeros(block)) {
            count = ::pwrite(fd(), block.data(), block.size(), static_cast<off_t>(offset));
        }
        if (count < 0 && errno != EINTR) {
            throw disk_error(fmt::format("writing {}", path()), folders_.staging().path(), whole,
                             errno);
        }
        const auto done = count > 0 ? static_cast<std::size_t>(count) : 0;
        piece = piece.subspan(done);
        offset += done;
    }
}

void FreshFile::set_size(std::uint64_t size) {
    if (stamp_of(fd()).size == size) {
        return; // XFS would write the last block of a clone, and so no longer share it
    }
    if (::ftruncate(fd(), static_cast<off_t>(size)) != 0) {
        throw disk_error(fmt::format("sizing {}", path()), folders_.staging().path(), size, errno);
    }
}

void FreshFile::move_to(std::uint64_t upload) {
    constexpr int tries = 3; // the upload may be discarded at the same time
    int error = ENOENT;
    for (int i = 0; i < tries && error == ENOENT; ++i) {
        const Directory folder = folders_.make(upload);
        error = rename_new(folders_.staging().fd(), temporary_, folder.fd(), name_);
    }
    if (error != 0) {
        throw system_error(fmt::format("staging {}", path()), error);
    }
    moved_ = true;
}

} // namespace wharf::store
