#include "daemon/store/piece_log.hpp"

#include "base/error.hpp"
#include "base/piece_checksum.hpp"
#include "base/scope_exit.hpp"
#include "daemon/store/file_system.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <span>
#include <sys/stat.h>
#include <unistd.h>

// On disk, in this machine's byte order (a log from another one has the wrong magic number):
//
//     header   magic and version, blob size, piece size, etag (64 bytes, padded with zeros),
//     checksum
//              of all that
//     slots    one for each piece: its checksum, and a mark made of checksum and index
//
// Slots have 16 bytes and begin at a multiple of 16, so none lies across two sectors.

namespace wharf::store {

namespace {

constexpr std::uint64_t magic = 0x31'70'67'6f'6c'66'68'77; // "whflogp1", the last digit the version

template <typename T>
std::span<const std::byte> bytes_of(const T& value) {
    return std::as_bytes(std::span{&value, 1});
}

/// Ends early at the end of the file.
std::size_t read_fully(int fd, std::span<std::byte> buffer, std::uint64_t offset) {
    std::size_t done = 0;
    while (done < buffer.size()) {
        const auto count = ::pread(fd, buffer.data() + done, buffer.size() - done,
                                   static_cast<off_t>(offset + done));
        if (count == 0 || (count < 0 && errno != EINTR)) {
            break;
        }
        done += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return done;
}

std::uint64_t pieces_of(std::uint64_t size, std::uint64_t piece_size) {
    return size / piece_size + (size % piece_size != 0 ? 1 : 0);
}

} // namespace

struct PieceLog::Header {
    std::uint64_t magic_number = magic;
    std::uint64_t size = 0;
    std::uint64_t piece_size = 0;
    std::array<char, 64> etag{};
    std::uint64_t check = 0;

    Header() = default;
    Header(std::string_view name, std::uint64_t blob_size, std::uint64_t one_piece)
        : size{blob_size}, piece_size{one_piece} {
        name.copy(etag.data(), etag.size());
        check = checksum();
    }
    std::uint64_t checksum() const {
        PieceChecksum sum;
        sum.update(bytes_of(*this).first(offsetof(Header, check)));
        return sum.value();
    }
};

std::uint64_t PieceLog::mark_of(std::size_t index, std::uint64_t checksum) noexcept {
    constexpr std::uint64_t odd = 0x9e37'79b9'7f4a'7c15; // never 0 when multiplied by index + 1
    return std::rotl(checksum, 32) ^ (odd * (index + 1));
}

PieceLog::PieceLog(std::shared_ptr<const Directory> folder, std::string name, UniqueFd fd,
                   std::uint64_t piece_size, std::size_t count)
    : folder_{std::move(folder)}, name_{std::move(name)}, fd_{std::move(fd)},
      piece_size_{piece_size}, slots_(count) {}

PieceLog PieceLog::create(std::shared_ptr<const Directory> folder, std::string name,
                          std::string_view etag, std::uint64_t size, std::uint64_t piece_size) {
    assert(piece_size > 0 && size > piece_size);
    piece_size = std::max(piece_size, pieces_of(size, most_pieces));
    folder->remove(name);
    UniqueFd fd{adopt_fd, ::openat(folder->fd(), name.c_str(),
                                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!fd) {
        throw system_error(fmt::format("creating {}", folder->path_of(name)), errno);
    }
    const auto count = static_cast<std::size_t>(pieces_of(size, piece_size));
    PieceLog log{std::move(folder), std::move(name), std::move(fd), piece_size, count};
    ScopeExit clean_up{[&] { log.remove(); }};
    // Reserved, so that recording a piece does not fail for want of space when the disk is full.
    reserve_space(log.fd_.value(), sizeof(Header) + count * sizeof(Slot), log.folder_->path());
    log.write(0, bytes_of(Header{etag, size, piece_size}));
    clean_up.release();
    return log;
}

std::optional<PieceLog> PieceLog::open(std::shared_ptr<const Directory> folder, std::string name,
                                       std::string_view etag, std::uint64_t size) {
    UniqueFd fd{adopt_fd,
                ::openat(folder->fd(), name.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
    if (!fd && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO)) {
        throw system_error(fmt::format("opening {}", folder->path_of(name)),
                           errno); // it may be there
    }
    struct stat info{};
    if (!fd || ::fstat(fd.value(), &info) != 0 || !S_ISREG(info.st_mode)) {
        return {};
    }
    Header header;
    if (read_fully(fd.value(), std::as_writable_bytes(std::span{&header, 1}), 0) !=
        sizeof(header)) {
        return {};
    }
    const bool ours = header.magic_number == magic && header.check == header.checksum() &&
                      header.size == size && header.etag == Header{etag, 0, 0}.etag;
    if (!ours || header.piece_size == 0 || header.piece_size >= size) {
        return {};
    }
    const auto count = pieces_of(size, header.piece_size);
    if (count > most_pieces ||
        static_cast<std::uint64_t>(info.st_size) != sizeof(Header) + count * sizeof(Slot)) {
        return {};
    }
    PieceLog log{std::move(folder), std::move(name), std::move(fd), header.piece_size,
                 static_cast<std::size_t>(count)};
    return log.read_slots() ? std::optional{std::move(log)} : std::nullopt;
}

bool PieceLog::read_slots() {
    const auto target = std::as_writable_bytes(std::span{slots_});
    return read_fully(fd_.value(), target, sizeof(Header)) == target.size();
}

bool PieceLog::has(std::size_t index) const noexcept {
    const Slot& slot = slots_[index];
    return slot.mark == mark_of(index, slot.checksum);
}

void PieceLog::record(std::size_t index, std::uint64_t checksum) {
    put(index, Slot{checksum, mark_of(index, checksum)});
}

void PieceLog::forget(std::size_t index) {
    put(index, Slot{});
}

void PieceLog::put(std::size_t index, Slot slot) {
    assert(index < slots_.size());
    slots_[index] = slot;
    write(sizeof(Header) + index * sizeof(Slot), bytes_of(slot));
}

void PieceLog::write(std::uint64_t offset, std::span<const std::byte> data) {
    while (!data.empty()) {
        const auto count =
            ::pwrite(fd_.value(), data.data(), data.size(), static_cast<off_t>(offset));
        if (count < 0 && errno != EINTR) {
            throw system_error(fmt::format("writing {}", path()), errno);
        }
        const auto written = count > 0 ? static_cast<std::size_t>(count) : 0;
        data = data.subspan(written);
        offset += written;
    }
}

void PieceLog::sync() {
    if (::fdatasync(fd_.value()) != 0) {
        throw system_error(fmt::format("flushing {}", path()), errno);
    }
}

void PieceLog::remove() noexcept {
    ::unlinkat(folder_->fd(), name_.c_str(), 0);
}

} // namespace wharf::store
