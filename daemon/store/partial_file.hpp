#pragma once

#include "base/unique_fd.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace wharf::store {

class Directory;

/// A blob on its way: a file in a dot folder on the cache's file system that nobody else reads. It
/// is removed on destruction unless the store published it. write_at() and read_at() may be called
/// from several threads at once for different ranges.
class PartialFile {
  public:
    /// Creates (exclusively, mode 0600) and reserves `size` bytes. Throws no_space or storage
    /// Errors.
    PartialFile(std::filesystem::path path, std::string etag, std::uint64_t size);
    PartialFile(const PartialFile&) = delete;
    PartialFile& operator=(const PartialFile&) = delete;
    ~PartialFile();

    /// Requires: the range lies within the size. Throws no_space or storage Errors.
    void write_at(std::uint64_t offset, std::span<const std::byte> data);

    /// Fills the buffer from what was written. Throws storage Errors.
    void read_at(std::uint64_t offset, std::span<std::byte> buffer) const;

    /// Asks the kernel to start writing a range to disk, so that the final flush is short.
    void start_writeback(std::uint64_t offset, std::uint64_t length) noexcept;

    const std::string& etag() const noexcept { return etag_; }
    std::uint64_t size() const noexcept { return size_; }
    int fd() const noexcept { return fd_.value(); }

    /// Flushes the content, makes it read-only (mode 0444) and moves it into the folder under its
    /// etag, replacing what is there; then flushes the folder. After this the file is no longer
    /// ours to remove. False, and nothing was moved, if the folder itself was removed meanwhile.
    [[nodiscard]] bool commit(const Directory& folder);

  private:
    std::filesystem::path path_;
    std::string etag_;
    std::uint64_t size_;
    UniqueFd fd_;
    bool committed_ = false;

    void reserve();
    void flush();
};

} // namespace wharf::store
