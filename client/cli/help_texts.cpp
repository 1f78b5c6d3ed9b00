#include "client/cli/help_texts.hpp"

#include <array>
#include <utility>

namespace wharf::cli {

namespace {

constexpr std::string_view main_help = R"help(Usage: wharf [--socket PATH] COMMAND [OPTIONS]

Files of the Hugging Face Hub through this machine's shared cache.

Commands:
  download     download files of a repo into the shared cache
  status       show what the daemon is doing
  jobs         list, show and cancel jobs
  env          print the variables that let programs use the shared cache
  version      show the versions of command and daemon

Options:
  --socket PATH    the daemon's socket; default: WHARF_SOCKET, else that of a
                   daemon of yours, else /run/wharf/wharfd.sock
  --version        show the versions of command and daemon
  -h, --help       show this help; also behind each command

Environment:
  WHARF_SOCKET                        the daemon's socket
  HF_TOKEN, HF_TOKEN_PATH, HF_HOME    where a token is found, as by `hf`
  HF_HUB_DISABLE_IMPLICIT_TOKEN=1     use no token but that of --token
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
  wharf jobs ls
  eval "$(wharf env)"
)help";

constexpr std::string_view download_help =
    R"help(Usage: wharf download [OPTIONS] REPO [FILES]...

Downloads files of a repo into the shared cache. The last line on standard output
is the path: of the file when one is named, else of the snapshot; with --local-dir
that of the file or folder there.

Arguments:
  REPO                  org/name, or a URI: hf://datasets/org/name@v1.0/file
  FILES                 files to download; "folder/" means all below it.
                        Without any: all files

Options:
  --repo-type TYPE      model (default), dataset or space; also --type
  --revision REVISION   branch, tag, refs/pr/N or commit; default: main
  --include PATTERN     only files that match; may be repeated
  --exclude PATTERN     not the files that match; may be repeated
  --local-dir DIR       place the files in this folder too
  --force-download      fetch again what is already there
  --dry-run             only tell what would be downloaded
  --token TOKEN         use this token for this call ("": none). Others can see it
                        in the process list for a moment: HF_TOKEN is safer
  --max-workers N       accepted for habit: the daemon decides about connections
  --format FORMAT       human (default; also auto, agent), json or quiet
  --json                print one object; errors too, on standard error
  -q, --quiet           print only the path, and show no progress
  -h, --help            show this help

Patterns are matched as by `hf`: on the whole path, "*" also crosses "/", "folder/"
means all below, upper and lower case differ. They are ignored when files are named.

Ctrl-C leaves the job to others who wait for it and pauses it when there are none;
the same command goes on where it was.

Files of --local-dir share their space with the cache where the file system can
(reflink); large ones are hard-linked, read-only, where that is allowed; the rest is
copied. To change a large file there, replace it. Symbolic links inside the folder are
not followed. `hf` and `wharf` keep the same records of it.

Exit codes: 0 done, 2 wrong usage, 3 no such repo, revision or file, 4 access refused,
5 Hub not reachable, 6 no space, 7 wrong bytes, 8 daemon not reachable,
130 interrupted, 1 anything else.

Examples:
  wharf download org/model
  wharf download org/model config.json tokenizer.json
  wharf download org/model --include "*.safetensors" --exclude "*fp32*"
  wharf download org/model --local-dir ./model
  wharf download org/data art/ --repo-type dataset
  cd "$(wharf download --quiet org/model)"
)help";

constexpr std::string_view status_help = R"help(Usage: wharf status [OPTIONS]

Shows the daemon and the transfers that are running.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Status gives it
  -q, --quiet       print only the daemon's version
  -h, --help        show this help

Exit codes: 0 done, 8 daemon not reachable, 1 anything else.

Example:
  wharf status --json
)help";

constexpr std::string_view jobs_help = R"help(Usage: wharf jobs COMMAND [OPTIONS]

Lists, shows and cancels jobs: what was asked of the daemon, running and past.
People see their own.

Commands:
  ls           list jobs; also: list
  show ID      show one job with the files it has in the air
  cancel ID    end a job for everybody who waits for it

Options:
  -h, --help   show this help; also behind each command

Examples:
  wharf jobs ls --all
  wharf jobs show 12
  wharf jobs cancel 12
)help";

constexpr std::string_view jobs_list_help = R"help(Usage: wharf jobs ls [OPTIONS]

Lists your jobs that have not ended, newest first.

Options:
  -a, --all         also those that have ended
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Jobs.List gives it
  -q, --quiet       print only their numbers
  -h, --help        show this help

Exit codes: 0 done, 8 daemon not reachable, 1 anything else.

Example:
  wharf jobs ls --all
)help";

constexpr std::string_view jobs_show_help = R"help(Usage: wharf jobs show [OPTIONS] ID

Shows one job with the files it has in the air.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Jobs.Show gives it
  -q, --quiet       print only its state
  -h, --help        show this help

Exit codes: 0 done, 3 no such job, 8 daemon not reachable, 1 anything else.

Example:
  wharf jobs show 12
)help";

constexpr std::string_view jobs_cancel_help = R"help(Usage: wharf jobs cancel [OPTIONS] ID

Ends a job for everybody who waits for it. What was fetched stays. A job that has
ended already is no failure.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Jobs.Cancel gives it
  -q, --quiet       print only its state
  -h, --help        show this help

Exit codes: 0 done, 3 no such job, 8 daemon not reachable, 1 anything else.

Example:
  wharf jobs cancel 12
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

constexpr std::array<std::pair<std::string_view, std::string_view>, 9> texts{
    {{"", main_help},
     {"download", download_help},
     {"status", status_help},
     {"jobs", jobs_help},
     {"jobs ls", jobs_list_help},
     {"jobs show", jobs_show_help},
     {"jobs cancel", jobs_cancel_help},
     {"env", env_help},
     {"version", version_help}}};

} // namespace

std::string_view help_text(std::string_view command) {
    for (const auto& [name, text] : texts) {
        if (name == command) {
            return text;
        }
    }
    return main_help;
}

} // namespace wharf::cli
