#pragma once

#include "base/error.hpp"

#include <optional>
#include <string>
#include <vector>

namespace wharf::cli {

/// What the arguments of `download` say, as they were given.
struct DownloadArguments {
    std::string repo = {};
    std::optional<std::string> repo_type = {};
    std::optional<std::string> revision = {};
    std::vector<std::string> files = {};
    std::vector<std::string> include = {};
    std::vector<std::string> exclude = {};
};

/// What to ask the daemon for. Patterns go to it as they are: matching is its business.
struct Selection {
    std::string repo;
    std::string repo_type = "model";
    std::string revision = "main";
    std::vector<std::string> files;   ///< exact names
    std::vector<std::string> include; ///< patterns
    std::vector<std::string> exclude; ///< patterns
    bool single_file = false;         ///< the answer is this file's path, not the snapshot's
    std::vector<std::string> warnings;
};

/// Reads the arguments as `hf download` does: REPO may be an "hf://" URI with type, revision and
/// path, or carry a type prefix ("datasets/org/name"); "folder/" among the names means all below;
/// patterns are ignored, with a warning, beside names. One name is always exact; among several, a
/// name with a wildcard makes patterns of them all. Errors: invalid_request.
Result<Selection> select_files(const DownloadArguments& arguments);

} // namespace wharf::cli
