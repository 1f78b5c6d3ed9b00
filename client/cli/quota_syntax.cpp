#include "client/cli/command_syntax.hpp"

namespace wharf::cli {

void declare_quota(CommandLine& line) {
    auto [show, shown] = line.add("quota", QuotaShowCommand{});
    show.text("--user", shown.user);
    line.add("quota ls", QuotaListCommand{});
    line.also("quota ls", "list");
    auto [release, released] = line.add("quota release", QuotaReleaseCommand{});
    release.word("REPO", released.repo);
    release.choice("--repo-type,--type", released.repo_type, {"model", "dataset", "space"});
}

} // namespace wharf::cli
