#pragma once

#include "base/error.hpp"

#include <string_view>

namespace wharf::cli {

/// Whether a file may have this path in a repo: relative, no empty, "." or ".." component, no
/// ".git" component (any case), nothing in ".cache/huggingface", valid UTF-8 without control
/// characters, components up to 255 bytes, all up to 1024. The Hub, or whoever downloads it, would
/// refuse the rest. Errors: invalid_request, naming the path and the rule.
Result<void> check_repo_path(std::string_view path);

} // namespace wharf::cli
