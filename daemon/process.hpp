#pragma once

#include <cstdint>
#include <filesystem>

/// What the daemon asks of the kernel for its own process.
namespace wharf {

/// Raises the limit of open descriptors to the hard limit and returns it: every client, every
/// connection and every file that is written takes one, and 1024 are too few for a busy box.
std::uint64_t raise_descriptor_limit();

/// No core dump, and no other process of our uid may read our memory or trace us: there are
/// tokens in it.
void hide_memory();

/// Makes sure that a folder in a place that everybody may write to is ours alone: creates it with
/// mode 0700, or checks that it is a real directory, owned by us and closed to others. Throws a
/// forbidden Error when it is not.
void ensure_private_directory(const std::filesystem::path& path);

} // namespace wharf
