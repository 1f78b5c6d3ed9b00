#include "daemon/transfer/file_part.hpp"

#include "base/digest.hpp"
#include "base/error.hpp"

#include <algorithm>
#include <cerrno>
#include <sys/uio.h>
#include <vector>

namespace wharf::transfer {

namespace {

/// Returns -1 with errno, as the system does.
ssize_t read_at(int fd, std::span<std::byte> buffer, std::uint64_t offset, int flags) noexcept {
    iovec part{.iov_base = buffer.data(), .iov_len = buffer.size()};
    ssize_t count = 0;
    do {
        count = ::preadv2(fd, &part, 1, static_cast<off_t>(offset), flags);
    } while (count < 0 && errno == EINTR);
    return count;
}

/// How much is hashed at once, so that who does not want to know any more need not wait for long.
constexpr std::uint64_t hash_step = 64 << 20;
constexpr std::size_t hash_read = 1 << 20;

std::size_t checked(ssize_t count, int error) {
    if (count < 0) {
        throw system_error("reading a file that is being uploaded", error);
    }
    if (count == 0) {
        throw Error{ErrorKind::integrity, "the file became shorter while it was uploaded",
                    "upload it again when nothing writes to it any more"};
    }
    return static_cast<std::size_t>(count);
}

} // namespace

Awaitable<std::size_t> FilePart::read_some(std::span<std::byte> buffer) {
    const auto wanted = std::min<std::uint64_t>(buffer.size(), order_.size - position_);
    const std::size_t allowed = co_await order_.allowance->take(static_cast<std::size_t>(wanted));
    const std::size_t count = co_await read(buffer.first(allowed));
    order_.allowance->give_back(allowed - count);
    position_ += count;
    order_.connection->received(count);
    *order_.sent += count;
    co_return count;
}

Awaitable<std::size_t> FilePart::read(std::span<std::byte> buffer) {
    const int fd = order_.file->value();
    const std::uint64_t offset = order_.begin + position_;
    const ssize_t at_hand = read_at(fd, buffer, offset, RWF_NOWAIT);
    // EAGAIN: it is not in memory; others: this file system cannot tell.
    if (at_hand >= 0) {
        co_return checked(at_hand, 0);
    }
    const std::size_t count = co_await order_.pool->run([fd, buffer, offset] {
        const ssize_t read = read_at(fd, buffer, offset, 0);
        return checked(read, errno);
    });
    co_return count;
}

void FilePart::rewind() {
    *order_.sent -= position_;
    position_ = 0;
}

namespace {

void hash(BlobHasher& hasher, int fd, std::uint64_t begin, std::uint64_t end) {
    std::vector<std::byte> buffer(hash_read);
    while (begin < end) {
        const auto wanted = std::min<std::uint64_t>(buffer.size(), end - begin);
        const auto room = std::span{buffer}.first(static_cast<std::size_t>(wanted));
        const ssize_t read = read_at(fd, room, begin, 0);
        const std::size_t count = checked(read, errno);
        hasher.update(room.first(count));
        begin += count;
    }
}

} // namespace

Awaitable<std::string> sha256_of(std::shared_ptr<const UniqueFd> file, std::uint64_t size,
                                 async::BlockingPool& pool) {
    BlobHasher hasher{std::string(64, '0'), size};
    for (std::uint64_t begin = 0; begin < size; begin += hash_step) {
        const auto end = std::min(size, begin + hash_step);
        co_await pool.run([&] { hash(hasher, file->value(), begin, end); });
    }
    co_return hasher.finish();
}

} // namespace wharf::transfer
