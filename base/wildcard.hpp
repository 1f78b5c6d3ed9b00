#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wharf {

/// Whether a path matches a pattern as Python's fnmatch.fnmatchcase says, which is what the
/// official client uses: `*` any characters, also "/"; `?` one character; `[abc]`, `[a-z]`, `[!a]`
/// one of or none of a set; no escapes; a "[" that is never closed means itself. Both are UTF-8.
bool matches(std::string_view pattern, std::string_view path);

/// Whether one of the patterns matches; here a pattern ending in "/" means all below.
bool matches_any(const std::vector<std::string>& patterns, std::string_view path);

} // namespace wharf
