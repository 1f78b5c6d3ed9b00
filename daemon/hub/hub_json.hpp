#pragma once

#include "base/error.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/hub/upload_types.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::hub {

// Reads what the Hub answers. Whole documents are checked (UTF-8, nesting, numbers), not only the
// parts that are used; unknown keys are ignored, wanted ones must not occur twice and must have the
// right type. Errors: protocol, saying what is wrong and with which entry.

/// The `sha` of a repo's description: the commit, 40 hex digits.
Result<std::string> commit_from_json(std::string_view body);

/// Who may see a repo: its `private`, `gated` (false or how access is given) and `disabled`. What
/// is missing counts against the repo.
Result<RepoAccess> access_from_json(std::string_view body);

/// Whose a token is, as whoami-v2 has it. Its texts are made fit to be shown.
Result<TokenOwner> owner_from_json(std::string_view body);

/// Appends a page's files, checked for themselves (make_tree checks them together). Everything that
/// is not of type "file" is a folder, as for the official client, and only its path is checked.
/// At most `limit` files in all.
Result<void> append_tree_page(std::string_view body, std::vector<TreeEntry>& files,
                              std::size_t limit);

/// Of the paths that were asked for, those that are there: entries as in a listing, each once.
Result<std::vector<PathInfo>> paths_from_json(std::string_view body,
                                              std::span<const std::string> asked);

/// What an error's body says for people: `error` (text or list of texts), `error_description`,
/// `errors[].message`, `message` (of git-lfs); the body itself when it is not JSON. Raw: to be
/// passed to spoken_text().
std::string error_text(std::string_view body);

} // namespace wharf::hub
