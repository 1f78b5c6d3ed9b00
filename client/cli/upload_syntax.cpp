#include "client/cli/command_syntax.hpp"

#include <fmt/format.h>

namespace wharf::cli {

namespace {

/// What all commands share that make a commit.
void declare_commit(Syntax& syntax, CommitArguments& commit) {
    syntax.text("--commit-message", commit.message);
    syntax.text("--commit-description", commit.description);
    syntax.flag("--create-pr,!--no-create-pr", commit.create_pr);
    syntax.text("--parent-commit", commit.parent);
    syntax.flag("--detach,!--no-detach", commit.detach);
    syntax.choice("--priority", commit.priority, {"interactive", "normal", "background"});
    syntax.text("--token", commit.token);
}

void declare_target(Syntax& syntax, std::optional<std::string>& repo_type,
                    std::optional<std::string>& revision) {
    syntax.choice("--repo-type,--type", repo_type, {"model", "dataset", "space"});
    syntax.text("--revision", revision);
}

std::string find_fault(const CommitArguments& commit, const std::optional<std::string>& revision) {
    if (commit.message && commit.message->find_first_not_of(" \t\r\n") == std::string::npos) {
        return "--commit-message must not be empty";
    }
    if (commit.create_pr && revision && *revision != "main") {
        return fmt::format("--create-pr and --revision {} contradict each other: a pull request is "
                           "made against main",
                           *revision);
    }
    return {};
}

std::string find_upload_fault(const UploadCommand& command) {
    const CommitArguments& commit = command.commit;
    if (command.attached && commit.detach) {
        return "--attached and --detach contradict each other: an attached push ends with its "
               "command";
    }
    if (command.every) {
        const char* other = commit.detach      ? "--detach"
                            : command.attached ? "--attached"
                            : commit.create_pr ? "--create-pr"
                            : commit.parent    ? "--parent-commit"
                                               : nullptr;
        if (other) {
            return fmt::format("--every cannot be used with {}: it pushes what was added and "
                               "changed, again and again, until it is interrupted",
                               other);
        }
    }
    return find_fault(commit, command.what.revision);
}

std::string find_large_folder_fault(const UploadCommand& command) {
    return command.what.repo_type ? "" : "--repo-type is required: model, dataset or space";
}

std::string find_delete_fault(const DeleteFilesCommand& command) {
    for (const std::string& pattern : command.patterns) {
        if (pattern.find_first_not_of('/') == std::string::npos) {
            return fmt::format("'{}' is no pattern", pattern);
        }
    }
    return find_fault(command.commit, command.revision);
}

} // namespace

void declare_uploads(CommandLine& line) {
    auto [upload, command] =
        line.add("upload", UploadCommand{}, Complete<UploadCommand>{find_upload_fault});
    upload.word("REPO", command.what.repo);
    upload.optional_word("PATH", command.what.local_path);
    upload.optional_word("PATH_IN_REPO", command.what.path_in_repo);
    declare_target(upload, command.what.repo_type, command.what.revision);
    declare_commit(upload, command.commit);
    upload.list("--include", command.what.include);
    upload.list("--exclude", command.what.exclude);
    upload.list("--delete", command.what.remove);
    upload.flag("--private,!--no-private", command.is_private);
    upload.flag("--attached,!--no-attached", command.attached);
    upload.period("--every", command.every);

    auto [folder, large] = line.add("upload-large-folder", UploadCommand{.folder_only = true},
                                    Complete<UploadCommand>{find_large_folder_fault});
    folder.word("REPO", large.what.repo);
    folder.word("PATH", large.what.local_path.emplace());
    declare_target(folder, large.what.repo_type, large.what.revision);
    folder.list("--include", large.what.include);
    folder.list("--exclude", large.what.exclude);
    folder.flag("--private,!--no-private", large.is_private);
    folder.text("--token", large.commit.token);
    folder.ignored("--num-workers", &large.named_workers);
    folder.ignored_flag("--no-report");
    folder.ignored_flag("--no-bars");

    auto [files, removal] = line.add("repo-files delete", DeleteFilesCommand{},
                                     Complete<DeleteFilesCommand>{find_delete_fault});
    files.word("REPO", removal.repo);
    files.words("PATTERN", removal.patterns, 1);
    declare_target(files, removal.repo_type, removal.revision);
    declare_commit(files, removal.commit);
}

} // namespace wharf::cli
