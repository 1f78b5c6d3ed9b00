#include "client/cli/command_syntax.hpp"

namespace wharf::cli {

namespace {

/// What `download` and `prefetch` share.
void declare_selection(Syntax& syntax, DownloadCommand& command) {
    DownloadArguments& what = command.what;
    syntax.word("REPO", what.repo);
    syntax.words("FILES", what.files, 0);
    syntax.choice("--repo-type,--type", what.repo_type, {"model", "dataset", "space"});
    syntax.text("--revision", what.revision);
    syntax.list("--include", what.include);
    syntax.list("--exclude", what.exclude);
    syntax.text("--token", command.token);
    syntax.choice("--priority", command.priority, {"interactive", "normal", "background"});
    syntax.ignored("--max-workers");
    syntax.refused("--cache-dir",
                   "--cache-dir cannot be chosen by a call: the daemon keeps one cache for all. "
                   "Use `wharf download --local-dir` to have the files in a folder of yours");
}

std::string find_contradiction(const DownloadCommand& command) {
    if (command.local_dir && command.local_dir->empty()) {
        return "--local-dir must not be empty";
    }
    if (command.detach && command.local_dir) {
        return "--detach cannot place files in --local-dir: this command copies them, not the "
               "daemon. Detach without it, and give it when the job is done: nothing is fetched "
               "again";
    }
    if (command.detach && command.dry_run) {
        return "--detach and --dry-run contradict each other: a dry run starts no job";
    }
    return {};
}

} // namespace

void declare_downloads(CommandLine& line) {
    auto [download, command] =
        line.add("download", DownloadCommand{}, Complete<DownloadCommand>{find_contradiction});
    declare_selection(download, command);
    download.text("--local-dir", command.local_dir);
    download.flag("--force-download,!--no-force-download", command.force);
    download.flag("--dry-run,!--no-dry-run", command.dry_run);
    download.flag("--detach,!--no-detach", command.detach);

    auto [prefetch, later] =
        line.add("prefetch", DownloadCommand{.priority = "background", .detach = true});
    declare_selection(prefetch, later);
    prefetch.refused("--local-dir",
                     "prefetch brings files into the cache only: when they are there, "
                     "`wharf download --local-dir` places them in a folder");
    prefetch.refused("--dry-run", "`wharf download --dry-run` tells what would be fetched");
}

} // namespace wharf::cli
