#include "daemon/store/copy_blob.hpp"

#include "base/error.hpp"
#include "daemon/store/blob_files.hpp"

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

std::unique_ptr<PartialFile> copy_blob(const Directory& cache, Staging& staging, const Space& space,
                                       const std::string& etag, const std::string& from,
                                       const Stamp& expected) {
    const UniqueFd source = BlobFiles{cache}.open(from, etag);
    if (!source || stamp_of(source.value()) != expected) {
        return nullptr;
    }
    space.require(expected.size);
    auto copy = std::make_unique<PartialFile>(staging.folder(), staging.new_name(etag), etag,
                                              expected.size);
    copy->reserve();
    copy_content(source.value(), *copy);
    if (stamp_of(source.value()) != expected) {
        return nullptr; // written to while it was copied
    }
    return copy;
}

} // namespace wharf::store
