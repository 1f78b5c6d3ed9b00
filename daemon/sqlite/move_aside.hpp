#pragma once

#include <filesystem>

namespace wharf::sqlite {

/// Renames a damaged database to `<file>.broken-<seconds since 1970>` so that a new one can take
/// its place; its new name. A database is three files, and they stay together: a log without its
/// database, or beside another, is worse than none. Requires: nobody has it open. Throws
/// std::filesystem::filesystem_error.
std::filesystem::path move_aside(const std::filesystem::path& file);

} // namespace wharf::sqlite
