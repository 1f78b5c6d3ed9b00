#pragma once

#include "base/error.hpp"

#include <string_view>

namespace wharf::cli {

/// Whether a repo's file may be written below a folder of the user's: not absolute, no empty, "."
/// or ".." part, no NUL, nothing in ".git" or in the bookkeeping under ".cache/huggingface". The
/// daemon has refused such names already; what writes with the user's rights checks for itself.
/// Backslashes count as separators for "..", and drive letters are refused, as the official client
/// does: the folder may be shared with other systems. Errors: protocol.
Result<void> check_local_name(std::string_view name);

} // namespace wharf::cli
