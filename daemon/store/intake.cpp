#include "daemon/store/intake.hpp"

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/units.hpp"
#include "daemon/store/content_hashes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <linux/fs.h>
#include <memory>
#include <new>
#include <span>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>
#include <utility>

// A file is cloned whole and then cut to its size, or copied in pieces; how it looked before is
// compared with how it looks after. All reading is by offset: the position in the open file is
// shared with the one who handed it over. That is also why holes are found by their zeros, and not
// by SEEK_DATA.

namespace wharf::store {

namespace {

constexpr std::size_t piece_size = 1 << 20;

/// Descriptors with O_DIRECT want memory that is aligned to the disk's blocks.
constexpr std::align_val_t alignment{4096};
struct Release {
    void operator()(std::byte* memory) const noexcept { ::operator delete[](memory, alignment); }
};
using Buffer = std::unique_ptr<std::byte, Release>;

Buffer make_buffer(std::size_t size) {
    return Buffer{static_cast<std::byte*>(::operator new[](size, alignment))};
}

std::string_view kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a folder";
    case S_IFIFO:
        return "a pipe";
    case S_IFSOCK:
        return "a socket";
    case S_IFBLK:
    case S_IFCHR:
        return "a device";
    default:
        return "something else";
    }
}

bool same_time(const timespec& a, const timespec& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

} // namespace

Intake::Intake(StagingOrder order, UploadFolders folders, std::string name,
               std::uint64_t home_device)
    : order_{std::move(order)}, folders_{std::move(folders)}, home_device_{home_device} {
    file_.name = std::move(name);
}

bool Intake::abandon() noexcept {
    State expected = State::running;
    return state_.compare_exchange_strong(expected, State::abandoned);
}

void Intake::withdraw() noexcept {
    try {
        if (const auto folder = folders_.open(order_.upload)) {
            folder->remove(file_.name);
        }
    } catch (const Error&) { // it goes with the upload's folder
    }
}

void Intake::require_wanted() const {
    if (state_ == State::abandoned) {
        throw Error{ErrorKind::cancelled, fmt::format("{} is not wanted any more", order_.path)};
    }
}

void Intake::look() {
    ScopeExit close{[this] { order_.source.close_here(); }};
    require_wanted();
    require_takeable();
    // Only a file of ours: whoever else owns a file can write to it and set its times back. And no
    // right is needed beside the descriptor: who passes one of a restricted repo's blob could open
    // it, and so read it.
    may_be_blob_ = before_.st_dev == home_device_ && before_.st_uid == ::geteuid() &&
                   file_.size == static_cast<std::uint64_t>(before_.st_size) && file_.size > 0;
    if (may_be_blob_) {
        close.release();
        read_sample();
    } else {
        transfer();
    }
}

bool Intake::may_be_linked() const noexcept {
    return (before_.st_mode & (S_IWUSR | S_IWGRP | S_IWOTH)) == 0;
}

void Intake::was_linked(std::string etag) {
    order_.source.close_here();
    file_.hashes = std::move(etag);
    file_.shares_blocks = true;
}

void Intake::take(std::string etag) {
    const ScopeExit close{[this] { order_.source.close_here(); }};
    require_wanted();
    file_.hashes = std::move(etag);
    transfer();
}

void Intake::refuse(std::string_view why, std::string hint) const {
    throw Error{ErrorKind::invalid_request, fmt::format("{} {}", order_.path, why),
                std::move(hint)};
}

struct stat Intake::look_at_source() const {
    struct stat info{};
    if (::fstat(order_.source.value(), &info) != 0) {
        throw system_error(fmt::format("looking at {}", order_.path), errno);
    }
    return info;
}

void Intake::require_takeable() {
    const int flags = ::fcntl(order_.source.value(), F_GETFL);
    if (flags < 0 || (flags & O_PATH) != 0 || (flags & O_ACCMODE) == O_WRONLY) {
        refuse("is not open for reading", "pass a descriptor that can be read from");
    }
    before_ = look_at_source();
    if (!S_ISREG(before_.st_mode)) {
        refuse(fmt::format("is {}, no regular file", kind_of(before_.st_mode)),
               "push files only; write into one what you want to push");
    }
    struct statfs system{};
    if (::fstatfs(order_.source.value(), &system) != 0) {
        throw system_error(fmt::format("looking at the file system of {}", order_.path), errno);
    }
    if (is_kernel_window(static_cast<std::uint32_t>(system.f_type))) {
        refuse("is made up by the kernel as it is read (/proc, /sys or the like)",
               "copy what it says into a file, and push that");
    }
    const auto there = static_cast<std::uint64_t>(before_.st_size);
    file_.size = order_.size.value_or(there);
    if (file_.size > there) {
        refuse(
            fmt::format("has {} bytes, fewer than the {} that are to be pushed", there, file_.size),
            "push it again");
    }
    if (order_.most && file_.size > *order_.most) {
        throw Error{
            ErrorKind::quota,
            fmt::format("{} has {}, and this account may have {} more that wait to be pushed",
                        order_.path, format_size(file_.size), format_size(*order_.most)),
            "wait until pushes are done, or cancel some: 'wharf jobs ls'"};
    }
}

void Intake::require_attachable() {
    require_takeable();
    struct statfs system{};
    if (::fstatfs(order_.source.value(), &system) != 0) {
        throw system_error(fmt::format("looking at the file system of {}", order_.path), errno);
    }
    const auto network = network_file_system(static_cast<std::uint32_t>(system.f_type));
    if (!network.empty()) {
        refuse(fmt::format("lies on {}, where reading may hang", network),
               "push it without --attached: it is staged then");
    }
}

AttachedFile Intake::attached() {
    return {.file = std::make_shared<const UniqueFd>(order_.source.release()),
            .size = file_.size,
            .stamp = to_stamp(before_)};
}

void Intake::transfer() {
    read_sample();
    require_wanted();
    FreshFile target{folders_, file_.name};
    file_.shares_blocks =
        file_.size > 0 && ::ioctl(target.fd(), FICLONE, order_.source.value()) == 0;
    if (!file_.shares_blocks) {
        file_.hashes = copy(target);
    }
    require_unchanged();
    target.set_size(file_.size);
    require_wanted();
    target.move_to(order_.upload);
    State expected = State::running;
    if (!state_.compare_exchange_strong(expected, State::taken)) {
        withdraw();
    }
}

void Intake::read_sample() {
    alignas(4096) std::array<char, 4096> start{};
    ssize_t count = 0;
    do {
        count = file_.size == 0 ? 0 : ::pread(order_.source.value(), start.data(), start.size(), 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        throw system_error(fmt::format("reading {}", order_.path), errno);
    }
    const auto length =
        std::min({static_cast<std::uint64_t>(count), file_.size, std::uint64_t{sample_size}});
    file_.sample.assign(start.data(), static_cast<std::size_t>(length));
}

/// Returns the hashes of what the target got, whatever the source is by now.
std::string Intake::copy(FreshFile& target) {
    constexpr std::uint64_t block = 512; // of st_blocks, whatever the file system's own
    const auto allocated = static_cast<std::uint64_t>(before_.st_blocks) * block;
    folders_.space().require(std::min(file_.size, allocated));
    const Buffer buffer = make_buffer(piece_size);
    ContentHashes hashes{file_.size};
    std::uint64_t offset = 0;
    while (offset < file_.size) {
        require_wanted();
        const auto want = std::min<std::uint64_t>(piece_size, file_.size - offset);
        const auto count =
            ::pread(order_.source.value(), buffer.get(), piece_size, static_cast<off_t>(offset));
        if (count < 0 && errno != EINTR) {
            throw system_error(fmt::format("reading {}", order_.path), errno);
        }
        if (count == 0) {
            require_unchanged();
            refuse_cut_off(); // and it has grown again since
        }
        const auto got = std::min(want, static_cast<std::uint64_t>(std::max<ssize_t>(count, 0)));
        const std::span piece{buffer.get(), static_cast<std::size_t>(got)};
        hashes.update(piece);
        target.write_at(offset, piece, file_.size);
        ::sync_file_range(target.fd(), static_cast<off_t>(offset), static_cast<off_t>(got),
                          SYNC_FILE_RANGE_WRITE); // advice, so that flush() is short
        offset += got;
    }
    return hashes.finish();
}

void Intake::refuse_cut_off() const {
    refuse("was cut off while it was read", "push it again when it only grows");
}

/// Of a prefix only that it is still there can be told: the rest of the file may grow.
void Intake::require_unchanged() const {
    const auto after = look_at_source();
    if (order_.size) {
        if (static_cast<std::uint64_t>(after.st_size) < *order_.size) {
            refuse_cut_off();
        }
    } else if (after.st_size != before_.st_size || after.st_ino != before_.st_ino ||
               !same_time(after.st_mtim, before_.st_mtim) ||
               !same_time(after.st_ctim, before_.st_ctim)) {
        refuse("changed while it was read", "push it again when it is still, or push a copy of it");
    }
}

} // namespace wharf::store
