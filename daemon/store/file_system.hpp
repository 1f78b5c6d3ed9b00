#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace wharf::store {

/// The name of a network file system by its statfs(2) magic number, empty for local ones. FUSE
/// counts as local: it can be either.
std::string_view network_file_system(std::uint64_t magic) noexcept;

/// The same for the file system of a folder. Throws storage Errors.
std::string_view network_file_system_of(const std::filesystem::path& folder);

/// Throws a no_space Error that says how much is missing if `size` bytes do not fit.
void require_space(const std::filesystem::path& folder, std::uint64_t size);

/// "needs 14.2 GB, 3.1 GB free in /x"; what to throw when reserving fails.
Error no_space(const std::filesystem::path& folder, std::uint64_t needed);

} // namespace wharf::store
