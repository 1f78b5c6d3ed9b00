#include "client/cli/upload_plan.hpp"

#include "client/cli/repo_path.hpp"
#include "client/cli/repo_reference.hpp"
#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <sys/stat.h>
#include <utility>

namespace wharf::cli {

namespace {

Error usage(std::string message, std::string hint = {}) {
    return Error{ErrorKind::invalid_request, std::move(message), std::move(hint)};
}

bool has_wildcard(const std::string& path) {
    return path.find_first_of("*?[") != std::string::npos;
}

/// The part behind the last slash; slashes at the end do not count.
std::string last_part(std::string_view path) {
    while (path.size() > 1 && path.ends_with('/')) {
        path.remove_suffix(1);
    }
    return std::string{path.substr(path.rfind('/') + 1)};
}

/// Where the files are: as given, or named like the repo.
Result<std::string> find_local_path(const UploadArguments& arguments, const UploadPlan& plan,
                                    const LookAt& look_at) {
    if (arguments.local_path) {
        return *arguments.local_path;
    }
    const std::string name = last_part(plan.repo);
    const PathKind kind = look_at(name);
    if (kind != PathKind::file && kind != PathKind::folder) {
        return usage(fmt::format("there is no file or folder '{}' here", printable(name)),
                     "name what to push: `wharf upload REPO PATH`");
    }
    return name;
}

/// "*.safetensors" as the files below the working folder that match.
Result<void> take_wildcard(const UploadArguments& arguments, UploadPlan& plan) {
    if (!arguments.include.empty()) {
        return usage("--include cannot be used when the local path has a wildcard");
    }
    if (!plan.path_in_repo.empty()) {
        return usage("a path in the repo cannot be given when the local path has a wildcard",
                     "name the folder, and use --include");
    }
    plan.include = {std::exchange(plan.local_path, ".")};
    plan.exclude = arguments.exclude;
    plan.remove = arguments.remove;
    return boost::system::in_place_value;
}

/// A single file keeps its name, and in a folder ("." or "a/") too.
Result<void> take_file(const UploadArguments& arguments, UploadPlan& plan,
                       const std::optional<std::string>& path) {
    plan.is_file = true;
    if (!path || *path == "." || path->ends_with('/')) {
        const std::string name = last_part(plan.local_path);
        plan.path_in_repo += (plan.path_in_repo.empty() ? "" : "/") + name;
    }
    for (const auto& [patterns, option] :
         {std::pair{&arguments.include, "--include"}, std::pair{&arguments.exclude, "--exclude"},
          std::pair{&arguments.remove, "--delete"}}) {
        if (!patterns->empty()) {
            plan.warnings.push_back(fmt::format("{} is ignored: a single file is pushed", option));
        }
    }
    return check_repo_path(plan.path_in_repo);
}

Result<void> check_not_empty(const UploadArguments& arguments) {
    const auto empty = [](const std::optional<std::string>& text) { return text && text->empty(); };
    if (arguments.repo.empty() || empty(arguments.local_path) || empty(arguments.revision)) {
        return usage("the names of repo, revision and local path must not be empty");
    }
    for (const auto* patterns : {&arguments.include, &arguments.exclude, &arguments.remove}) {
        if (std::ranges::count(*patterns, "") > 0) {
            return usage("a pattern must not be empty");
        }
    }
    return boost::system::in_place_value;
}

/// What the arguments say of the repo; a URI may bring the path in it.
Result<std::optional<std::string>> take_repo(const UploadArguments& arguments, UploadPlan& plan) {
    auto reference = find_repo(arguments.repo, arguments.repo_type, arguments.revision);
    if (!reference) {
        return reference.error();
    }
    if (reference->path && arguments.path_in_repo) {
        return usage(
            fmt::format("'{}' names a path already; give it one way or the other", arguments.repo));
    }
    plan.repo = std::move(reference->repo);
    plan.repo_type = reference->repo_type.value_or("model");
    plan.revision = reference->revision.value_or("main");
    auto path = reference->path ? reference->path : arguments.path_in_repo;
    if (path) {
        auto folder = clean_repo_folder(*path);
        if (!folder) {
            return folder.error();
        }
        plan.path_in_repo = std::move(*folder);
    }
    return path;
}

} // namespace

PathKind look_at(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        return errno == ENOENT || errno == ENOTDIR ? PathKind::missing : PathKind::other;
    }
    return S_ISREG(status.st_mode)   ? PathKind::file
           : S_ISDIR(status.st_mode) ? PathKind::folder
                                     : PathKind::other;
}

Result<std::string> clean_repo_folder(const std::string& path) {
    std::string_view rest = path;
    while (rest.starts_with('/') || rest.starts_with("./")) {
        rest.remove_prefix(rest.find('/') + 1);
    }
    while (rest.ends_with('/') || rest.ends_with("/.")) {
        rest.remove_suffix(rest.ends_with('/') ? 1 : 2);
    }
    if (rest.empty() || rest == ".") {
        return std::string{};
    }
    if (const auto checked = check_repo_path(rest); !checked) {
        return checked.error();
    }
    return std::string{rest};
}

Result<UploadPlan> plan_upload(const UploadArguments& arguments, const LookAt& look_at) {
    if (const auto filled = check_not_empty(arguments); !filled) {
        return filled.error();
    }
    UploadPlan plan;
    const auto path = take_repo(arguments, plan);
    if (!path) {
        return path.error();
    }
    auto local_path = find_local_path(arguments, plan, look_at);
    if (!local_path) {
        return local_path.error();
    }
    plan.local_path = std::move(*local_path);
    Result<void> taken = boost::system::in_place_value;
    switch (look_at(plan.local_path)) {
    case PathKind::file:
        taken = take_file(arguments, plan, *path);
        break;
    case PathKind::folder:
        plan.include = arguments.include;
        plan.exclude = arguments.exclude;
        plan.remove = arguments.remove;
        break;
    case PathKind::missing:
        if (has_wildcard(plan.local_path)) {
            taken = take_wildcard(arguments, plan);
            break;
        }
        return Error{ErrorKind::file_not_found,
                     fmt::format("there is no file or folder '{}'", printable(plan.local_path)),
                     "check the spelling"};
    case PathKind::other:
        return usage(fmt::format("'{}' is no file and no folder that could be read",
                                 printable(plan.local_path)));
    }
    if (!taken) {
        return taken.error();
    }
    return plan;
}

} // namespace wharf::cli
