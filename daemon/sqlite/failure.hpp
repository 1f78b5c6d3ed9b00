#pragma once

#include <string_view>

struct sqlite3;

namespace wharf::sqlite {

/// Throws the Error for what the last call on `database` returned: Damaged when the file's content
/// is broken, no_space when the disk is full, storage otherwise. For this folder's sources only.
[[noreturn]] void fail(sqlite3* database, int code, std::string_view doing);

} // namespace wharf::sqlite
