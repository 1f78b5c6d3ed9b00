#pragma once

#include "base/unique_fd.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/piece_log.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace wharf::store {

/// A blob on its way: a file in a dot folder on the cache's file system that nobody else reads.
///
/// With several pieces it has a log of those that are there, and both stay on disk when this object
/// goes, for whoever opens the blob's partial file next: today, after kill -9, or next week. With a
/// single piece there is nothing to go on from: it has no log and goes with this object.
///
/// write_at(), read_at() and record_piece() may be called from several threads at once, for
/// different ranges or pieces.
class PartialFile {
  public:
    /// Creates a file without a log (exclusively, mode 0600). Throws no_space or storage Errors.
    PartialFile(std::shared_ptr<const Directory> folder, std::string name, std::string etag,
                std::uint64_t size);

    /// Goes on with a file that is there and has its size. It was opened for reading and writing;
    /// for reading alone if it is whole and only to be moved to its place.
    PartialFile(std::shared_ptr<const Directory> folder, std::string name, std::string etag,
                std::uint64_t size, UniqueFd fd, std::optional<PieceLog> log);

    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;
    ~PartialFile();

    /// Gives it its size and space on disk. Throws no_space (with numbers) or storage Errors.
    void reserve();

    /// From now on it is resumable. Requires: the log is this blob's.
    void keep_log(PieceLog log) { log_.emplace(std::move(log)); }

    /// Requires: the range lies within the size. Throws no_space (with numbers) or storage Errors.
    void write_at(std::uint64_t offset, std::span<const std::byte> data);

    /// Fills the buffer from what was written. Throws storage Errors.
    void read_at(std::uint64_t offset, std::span<std::byte> buffer) const;

    /// Asks the kernel to start writing a range to disk, so that the final flush is short.
    void start_writeback(std::uint64_t offset, std::uint64_t length) noexcept;

    /// The size of all pieces but the last, as it was when the file was created: a resumed file
    /// keeps its own, whatever was asked for.
    std::uint64_t piece_size() const noexcept { return log_ ? log_->piece_size() : size_; }
    std::size_t piece_count() const noexcept { return log_ ? log_->count() : 1; }

    /// Whether the log says that the piece is there. After a power failure it may not be: whoever
    /// resumes compares the checksum, and forgets the piece if it differs. Requires, here and for
    /// the checksum: nobody records the same piece meanwhile.
    bool has_piece(std::size_t index) const noexcept { return log_ && log_->has(index); }

    /// Requires: has_piece(index).
    std::uint64_t piece_checksum(std::size_t index) const noexcept { return log_->checksum(index); }

    /// Notes that all of the piece was written; a single small write. Called right after the
    /// writing, by the thread that wrote. Throws storage Errors.
    void record_piece(std::size_t index, std::uint64_t checksum);

    /// The piece is not what the log says. Throws storage Errors.
    void forget_piece(std::size_t index);

    /// Makes durable what was written and recorded so far, so that a power failure costs no more
    /// than what came since. Blocks; others may go on writing; one call at a time. Throws storage
    /// Errors: after one the file cannot be published any more (what did not reach the disk is
    /// known only by reading it back), but it can be closed and resumed.
    void sync_progress();

    /// Removes file and log, which are not worth keeping: their bytes are wrong.
    void discard() noexcept;

    const std::string& etag() const noexcept { return etag_; }
    std::uint64_t size() const noexcept { return size_; }
    int fd() const noexcept { return fd_.value(); }

    /// Its content was flushed since it was written last, and no flush has failed.
    void set_durable() noexcept { durable_ = true; }

    /// Makes the content durable and read-only (mode 0444), if that was not done. Blocks. Throws
    /// no_space or storage Errors.
    void seal();

    /// Moves it into the folder under its etag, replacing what is there, and removes the log. After
    /// this the file is no longer ours to remove. False, and nothing was moved, if the folder
    /// itself was removed meanwhile. Requires: sealed.
    [[nodiscard]] bool move_to(const Directory& blobs);

  private:
    void flush();
    std::string path() const { return folder_->path_of(name_); }

    std::shared_ptr<const Directory> folder_;
    std::string name_;
    std::string etag_;
    std::uint64_t size_;
    UniqueFd fd_;
    std::optional<PieceLog> log_;
    bool durable_ = false;
    bool sealed_ = false;
    bool gone_ = false;         ///< published or discarded: nothing of ours is left in the folder
    bool name_durable_ = false; ///< for sync_progress()
    bool flush_failed_ = false;
};

} // namespace wharf::store
