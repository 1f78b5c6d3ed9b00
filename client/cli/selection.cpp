#include "client/cli/selection.hpp"

#include "client/cli/repo_reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace wharf::cli {

namespace {

Error usage(std::string message, std::string hint = {}) {
    return Error{ErrorKind::invalid_request, std::move(message), std::move(hint)};
}

bool is_folder(const std::string& name) {
    return name.ends_with('/');
}

bool has_wildcard(const std::string& name) {
    return name.find_first_of("*?[") != std::string::npos;
}

/// "folder/" and "folder//" as the pattern for all below.
std::string folder_pattern(std::string_view folder) {
    while (folder.ends_with('/')) {
        folder.remove_suffix(1);
    }
    return fmt::format("{}/**", folder);
}

Result<void> check_folder_alone(const DownloadArguments& arguments, const std::string& folder) {
    if (!arguments.include.empty() || !arguments.exclude.empty()) {
        return usage(fmt::format("the folder '{}' cannot be combined with {}", folder,
                                 arguments.include.empty() ? "--exclude" : "--include"),
                     fmt::format("use --include '{}*' instead", folder));
    }
    return boost::system::in_place_value;
}

/// Sorts the names into exact ones and patterns.
void take_names(std::vector<std::string> names, const DownloadArguments& arguments,
                Selection& selection) {
    for (const auto& [patterns, option] :
         {std::pair{&arguments.include, "--include"}, std::pair{&arguments.exclude, "--exclude"}}) {
        if (!patterns->empty()) {
            selection.warnings.push_back(fmt::format("{} is ignored: files are named", option));
        }
    }
    const bool alone = names.size() == 1 && !is_folder(names.front());
    const bool exact = std::ranges::none_of(
        names, [](const auto& name) { return is_folder(name) || has_wildcard(name); });
    selection.single_file = alone;
    if (alone || exact) {
        selection.files = std::move(names);
        return;
    }
    for (std::string& name : names) {
        selection.include.push_back(is_folder(name) ? folder_pattern(name) : std::move(name));
    }
}

Result<void> check_not_empty(const DownloadArguments& arguments) {
    const auto holds_empty = [](const auto& list) { return std::ranges::count(list, "") > 0; };
    if (arguments.repo.empty() || holds_empty(arguments.files)) {
        return usage("the names of repo and files must not be empty");
    }
    if (holds_empty(arguments.include) || holds_empty(arguments.exclude)) {
        return usage("a pattern must not be empty");
    }
    if (arguments.revision && arguments.revision->empty()) {
        return usage("--revision must not be empty");
    }
    return boost::system::in_place_value;
}

} // namespace

Result<Selection> select_files(const DownloadArguments& arguments) {
    if (const auto filled = check_not_empty(arguments); !filled) {
        return filled.error();
    }
    auto reference = find_repo(arguments.repo, arguments.repo_type, arguments.revision);
    if (!reference) {
        return reference.error();
    }
    if (is_hub_uri(arguments.repo) && reference->path && !arguments.files.empty()) {
        return usage(fmt::format("'{}' names a path already; give the files one way or the other",
                                 arguments.repo));
    }
    std::vector<std::string> names = arguments.files;
    if (reference->path) {
        names.push_back(std::move(*reference->path));
    }
    if (const auto folder = std::ranges::find_if(names, is_folder); folder != names.end()) {
        if (const auto alone = check_folder_alone(arguments, *folder); !alone) {
            return alone.error();
        }
    }
    Selection selection;
    selection.repo = std::move(reference->repo);
    selection.repo_type = reference->repo_type.value_or("model");
    selection.revision = reference->revision.value_or("main");
    if (names.empty()) {
        selection.include = arguments.include;
        selection.exclude = arguments.exclude;
    } else {
        take_names(std::move(names), arguments, selection);
    }
    return selection;
}

} // namespace wharf::cli
