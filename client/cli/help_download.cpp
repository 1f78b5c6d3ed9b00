#include "client/cli/help_groups.hpp"

namespace wharf::cli {

namespace {

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
  --detach              do not wait for the end: print the job's number as soon as
                        the daemon will see to it, also after a restart
  --priority CLASS      interactive, normal (default) or background
  --dry-run             only tell what would be downloaded
  --token TOKEN         use this token for this call ("": none), instead of HF_TOKEN
                        or the stored one. Others can see it in the process list
                        for a moment: `wharf auth login` is safer
  --max-workers N       accepted for habit: the daemon decides about connections
  --format FORMAT       human (default; also auto, agent), json or quiet
  --json                print one object; errors too, on standard error
  -q, --quiet           print only the path or number, and show no progress
  -h, --help            show this help

Patterns are matched as by `hf`: on the whole path, "*" also crosses "/", "folder/"
means all below, upper and lower case differ. They are ignored when files are named.

Ctrl-C leaves the job to others who wait for it and pauses it when there are none;
the same command goes on where it was, `wharf jobs resume` without a command waiting.

When HF_ENDPOINT names another Hub than the daemon asks, no token is sent: the command
ends with 2, or goes on with a warning when there is no token.

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
  wharf download org/model --detach --priority background
  wharf download org/data art/ --repo-type dataset
  cd "$(wharf download --quiet org/model)"
)help";

constexpr std::string_view prefetch_help =
    R"help(Usage: wharf prefetch [OPTIONS] REPO [FILES]...

Has files of a repo brought into the shared cache in the background, and prints the
job's number as soon as the daemon will see to it, also after a restart. Others go
first (class background). When everything is there already, it says so and prints the
path, as `wharf download` does. FILES and patterns are those of `wharf download`.

Options:
  --repo-type TYPE      model (default), dataset or space; also --type
  --revision REVISION   branch, tag, refs/pr/N or commit; default: main
  --include PATTERN     only files that match; may be repeated
  --exclude PATTERN     not the files that match; may be repeated
  --priority CLASS      interactive, normal or background (default)
  --token TOKEN         use this token for this call ("": none), instead of HF_TOKEN
                        or the stored one. Others can see it in the process list
                        for a moment: `wharf auth login` is safer
  --max-workers N       accepted for habit: the daemon decides about connections
  --format FORMAT       human (default; also auto, agent), json or quiet
  --json                print one object; errors too, on standard error
  -q, --quiet           print only the number (or the path)
  -h, --help            show this help

Exit codes: those of `wharf download`; 0 also while the job has yet to be done.
`wharf jobs watch` waits for it and ends with the job's own.

Examples:
  wharf prefetch org/model --include "*.safetensors"
  wharf jobs watch "$(wharf prefetch --quiet org/data --repo-type dataset)"
)help";

constexpr std::array<HelpText, 2> texts{{{"download", download_help}, {"prefetch", prefetch_help}}};

} // namespace

std::span<const HelpText> download_helps() {
    return texts;
}

} // namespace wharf::cli
