#pragma once

#include "base/error.hpp"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace wharf::cli {

/// What the arguments of `upload` say of files, as they were given.
struct UploadArguments {
    std::string repo = {};
    std::optional<std::string> repo_type = {};
    std::optional<std::string> revision = {};
    std::optional<std::string> local_path = {};
    std::optional<std::string> path_in_repo = {};
    std::vector<std::string> include = {};
    std::vector<std::string> exclude = {};
    std::vector<std::string> remove = {}; ///< patterns of --delete
};

/// Which files go where.
struct UploadPlan {
    std::string repo;
    std::string repo_type = "model";
    std::string revision = "main";
    std::string local_path;
    bool is_file = false;
    std::string path_in_repo;         ///< the file's; or the folder's, empty: the root
    std::vector<std::string> include; ///< patterns on paths below the folder
    std::vector<std::string> exclude;
    std::vector<std::string> remove; ///< patterns on the repo's paths, relative to path_in_repo
    std::vector<std::string> warnings;
};

/// What is there at a path, symbolic links followed.
enum class PathKind { missing, file, folder, other };
using LookAt = std::function<PathKind(const std::string& path)>;

/// `LookAt` on the real file system.
PathKind look_at(const std::string& path);

/// Reads the arguments as `hf upload` does: REPO may be an "hf://" URI with type, revision and
/// path; without a local path a file or folder named like the repo is meant; a file keeps its name,
/// a folder's files go to the root ("."); a local path with a wildcard that is not there itself
/// selects files below the working folder; patterns are ignored, with a warning, beside a file.
/// Errors: invalid_request; file_not_found when the local path is not there.
Result<UploadPlan> plan_upload(const UploadArguments& arguments, const LookAt& look_at);

/// A folder in a repo as people write it ("./a/", "/a", "."), without the slashes and dots around
/// it. Errors: invalid_request.
Result<std::string> clean_repo_folder(const std::string& path);

} // namespace wharf::cli
