#include "client/cli/help_texts.hpp"

#include "client/cli/help_groups.hpp"

#include <algorithm>
#include <array>

namespace wharf::cli {

namespace {

constexpr std::string_view main_help = R"help(Usage: wharf [--socket PATH] COMMAND [OPTIONS]

Files of the Hugging Face Hub through this machine's shared cache.

Commands:
  download     download files of a repo into the shared cache
  prefetch     have them downloaded in the background
  upload       push a file or folder to a repo
  upload-large-folder
               the same for a folder, as `hf` calls it
  repo-files   delete files of a repo
  status       show what the daemon is doing
  jobs         list, watch, pause, resume, cancel and retry jobs
  auth         store a token with the daemon, remove it, show whose it is
  quota        show what you have and may have; give up a share
  env          print the variables that let programs use the shared cache
  version      show the versions of command and daemon

Options:
  --socket PATH    the daemon's socket; default: WHARF_SOCKET, else that of a
                   daemon of yours, else /run/wharf/wharfd.sock
  --version        show the versions of command and daemon
  -h, --help       show this help; also behind each command

Environment:
  WHARF_SOCKET                        the daemon's socket
  WHARF_DAEMON_USER                   who runs it, if it gets no token of yours
  HF_TOKEN, HF_TOKEN_PATH, HF_HOME    where a token is found, as by `hf`
  HF_ENDPOINT                         no token is sent when the daemon's differs
  HF_HUB_DISABLE_IMPLICIT_TOKEN=1     use no token but that of --token, not even
                                      the one stored by `wharf auth login`
  HF_HUB_DISABLE_PROGRESS_BARS=1      show no progress
  NO_COLOR=1                          show it without colours

Exit codes:
  0  done                             5  Hub or network not reachable
  1  another failure                  6  no space or quota
  2  wrong usage or configuration     7  bytes do not match their hash
  3  no such repo, revision or file   8  daemon not reachable
  4  access refused                   130  interrupted

Examples:
  wharf download org/model
  wharf download org/data --repo-type dataset --include "*.parquet"
  wharf upload org/model ./checkpoint --detach
  wharf jobs ls
  eval "$(wharf env)"
)help";

constexpr std::string_view status_help = R"help(Usage: wharf status [OPTIONS]

Shows the daemon, the transfers that are running, and why jobs of yours wait.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Status gives it
  -q, --quiet       print only the daemon's version
  -h, --help        show this help

Exit codes: 0 done, 8 daemon not reachable, 1 anything else.

Example:
  wharf status --json
)help";

constexpr std::string_view env_help = R"help(Usage: wharf env [OPTIONS]

Prints the variables that point programs at the shared cache, as lines for a POSIX
shell: programs that use the official client then find what `wharf download` brought.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object
  -q, --quiet       print no explanation
  -h, --help        show this help

Exit codes: 0 done, 8 daemon not reachable, 1 anything else.

Example:
  eval "$(wharf env)"
)help";

constexpr std::string_view version_help = R"help(Usage: wharf version [OPTIONS]

Shows the versions of this command and, when it can be reached, of the daemon.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object
  -q, --quiet       print only this command's version
  -h, --help        show this help

Exit codes: 0 done, 1 anything else.
)help";

constexpr std::array<HelpText, 4> general_helps{
    {{"", main_help}, {"status", status_help}, {"env", env_help}, {"version", version_help}}};

} // namespace

std::string_view help_text(std::string_view command) {
    const std::array<std::span<const HelpText>, 6> groups{
        general_helps, download_helps(), upload_helps(), jobs_helps(), auth_helps(), quota_helps()};
    for (const auto& group : groups) {
        const auto found = std::ranges::find(group, command, &HelpText::command);
        if (found != group.end()) {
            return found->text;
        }
    }
    return main_help;
}

} // namespace wharf::cli
