#pragma once

#include "base/error.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace wharf::cli {

/// A repo as people write it, taken apart.
struct RepoReference {
    std::string repo;                     ///< "org/name", or "name" of the Hub's oldest repos
    std::optional<std::string> repo_type; ///< "model", "dataset" or "space", when it says so
    std::optional<std::string> revision;
    std::optional<std::string> path; ///< a file, or a folder when it ends in "/"
};

/// Whether the text is meant as a URI, well-formed or not.
bool is_hub_uri(std::string_view text);

/// Parses hf://[<TYPE>/]<ID>[@<REVISION>][/<PATH>], where the type is plural, "%2F" in a revision
/// stands for "/", and refs/pr/N and refs/convert/NAME keep theirs. Errors: invalid_request.
Result<RepoReference> parse_hub_uri(std::string_view uri);

/// Takes the type prefix off "datasets/org/name". Errors: invalid_request for kinds of repos that
/// are not ours.
Result<RepoReference> parse_repo_id(std::string_view id);

/// Which repo is meant, by the options that say more of it too. A URI is the whole truth: an option
/// that says it again could contradict it. Errors: invalid_request.
Result<RepoReference> find_repo(const std::string& repo,
                                const std::optional<std::string>& repo_type,
                                const std::optional<std::string>& revision);

} // namespace wharf::cli
