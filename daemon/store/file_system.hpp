#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace wharf::store {

/// The name of a network file system by its statfs(2) magic number, empty for local ones. FUSE
/// counts as local: it can be either.
std::string_view network_file_system(std::uint64_t magic) noexcept;

/// The same for the file system of a folder. Throws storage Errors.
std::string_view network_file_system_of(const std::filesystem::path& folder);

/// Whether the file system with this magic number is a window into the kernel (procfs, sysfs, and
/// their like): its files are made up while they are read, and may tell what only the reader knows.
bool is_kernel_window(std::uint64_t magic) noexcept;

/// Room on a file system, less what is to stay free there. Any thread.
class Space {
  public:
    /// `min_free`: how much; none for 1 GiB, or 2 % of the file system if that is less.
    Space(std::filesystem::path folder, std::optional<std::uint64_t> min_free);

    /// How much may be written still. Where the file system does not say: no limit. Throws storage
    /// Errors.
    std::uint64_t available() const;

    /// Throws a no_space Error with numbers if that much does not fit.
    void require(std::uint64_t bytes) const;

    /// The no_space Error for something of that size.
    Error lack_of(std::uint64_t bytes) const;

  private:
    std::filesystem::path folder_;
    std::optional<std::uint64_t> min_free_;
};

/// Gives a file its size and, where the file system can, its space. Throws no_space with numbers,
/// or storage Errors.
void reserve_space(int fd, std::uint64_t size, const std::string& folder);

/// What to throw when the disk refuses a file of `needed` bytes: for ENOSPC and EDQUOT a no_space
/// Error with numbers, "needs 14.2 GB, 3.1 GB free in /x"; else a storage Error.
Error disk_error(std::string_view doing, const std::string& folder, std::uint64_t needed,
                 int error_number);

} // namespace wharf::store
