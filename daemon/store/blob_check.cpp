#include "daemon/store/blob_check.hpp"

#include "base/error.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <span>
#include <unistd.h>

namespace wharf::store {

namespace {

constexpr std::size_t buffer_size = 1 << 20;
constexpr std::uint64_t slice_size = 64 << 20; // some 40 ms of hashing

} // namespace

BlobCheck::BlobCheck(UniqueFd file, const hub::TreeEntry& entry)
    : file_{std::move(file)}, etag_{entry.etag()}, stamp_{stamp_of(file_.value())},
      wrong_{stamp_.size != entry.size},
      buffer_(static_cast<std::size_t>(std::min<std::uint64_t>(stamp_.size, buffer_size))),
      hasher_{etag_, stamp_.size} {
    ::posix_fadvise(file_.value(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

bool BlobCheck::read_slice() {
    const std::uint64_t end = std::min(stamp_.size, offset_ + slice_size);
    while (!wrong_ && offset_ < end) {
        const std::size_t count = read_some();
        hasher_.update(std::span{buffer_}.first(count));
        offset_ += count;
    }
    return !wrong_ && offset_ < stamp_.size;
}

/// Sets `wrong_` and returns 0 when there is no more to read than this.
std::size_t BlobCheck::read_some() {
    const auto want = std::min<std::uint64_t>(buffer_.size(), stamp_.size - offset_);
    ssize_t count = 0;
    do {
        count = ::pread(file_.value(), buffer_.data(), static_cast<std::size_t>(want),
                        static_cast<off_t>(offset_));
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        log::error("store", "blob {} cannot be read any more: {}", etag_,
                   system_error("reading it", errno).message());
    }
    wrong_ = count <= 0;
    return wrong_ ? 0 : static_cast<std::size_t>(count);
}

BlobCheck::Verdict BlobCheck::verdict() {
    if (stamp_of(file_.value()) != stamp_) {
        return Verdict::changed;
    }
    return !wrong_ && hasher_.finish() == etag_ ? Verdict::right : Verdict::wrong;
}

} // namespace wharf::store
