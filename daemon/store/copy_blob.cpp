#include "daemon/store/copy_blob.hpp"

#include "base/error.hpp"
#include "daemon/store/blob_files.hpp"
#include "daemon/store/file_system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <linux/fs.h>
#include <span>
#include <sys/ioctl.h>
#include <unistd.h>
#include <vector>

namespace wharf::store {

Stamp publish_blob(const Directory& cache, PartialFile& file, const std::string& repo_folder) {
    constexpr int tries = 3; // the official `cache rm` may remove the repo at any moment
    for (int i = 0; i < tries; ++i) {
        Unsynced unsynced;
        const Directory blobs = make_repo(cache, repo_folder, &unsynced);
        if (file.commit(blobs)) {
            sync_all(unsynced);
            return stamp_of(file.fd());
        }
    }
    throw Error{ErrorKind::storage,
                fmt::format("publishing {}: the folder {} is removed again and again", file.etag(),
                            repo_folder)};
}

namespace {

/// By hand, where the kernel cannot copy from one of these file systems to the other.
void copy_through_memory(int source, PartialFile& target, std::uint64_t offset) {
    std::vector<std::byte> buffer(1 << 20);
    while (offset < target.size()) {
        const auto want = std::min<std::uint64_t>(buffer.size(), target.size() - offset);
        const auto count = ::pread(source, buffer.data(), static_cast<std::size_t>(want),
                                   static_cast<off_t>(offset));
        if (count == 0 || (count < 0 && errno != EINTR)) {
            throw system_error(fmt::format("reading blob {}", target.etag()),
                               count < 0 ? errno : EIO);
        }
        const auto got = count > 0 ? static_cast<std::size_t>(count) : 0;
        target.write_at(offset, std::span{buffer}.first(got));
        offset += got;
    }
}

void copy_content(int source, PartialFile& target) {
    if (::ioctl(target.fd(), FICLONE, source) == 0) {
        return;
    }
    off_t offset = 0;
    off_t out = 0;
    const auto size = static_cast<off_t>(target.size());
    while (offset < size) {
        const auto count = ::copy_file_range(source, &offset, target.fd(), &out,
                                             static_cast<std::size_t>(size - offset), 0);
        if (count <= 0 && errno != EINTR) {
            break;
        }
    }
    copy_through_memory(source, target, static_cast<std::uint64_t>(offset));
}

} // namespace

std::optional<Stamp> copy_blob(const Directory& cache, Staging& staging, const std::string& etag,
                               const std::string& from, const std::string& to,
                               const Stamp& expected) {
    const UniqueFd source = BlobFiles{cache}.open(from, etag);
    if (!source || stamp_of(source.value()) != expected) {
        return {};
    }
    const auto path = staging.new_path(etag);
    require_space(path.parent_path(), expected.size);
    PartialFile copy{path, etag, expected.size};
    copy_content(source.value(), copy);
    if (stamp_of(source.value()) != expected) {
        return {}; // written to while it was copied
    }
    return publish_blob(cache, copy, to);
}

} // namespace wharf::store
