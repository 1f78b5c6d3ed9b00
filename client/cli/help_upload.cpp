#include "client/cli/help_groups.hpp"

namespace wharf::cli {

namespace {

constexpr std::string_view upload_help =
    R"help(Usage: wharf upload [OPTIONS] REPO [PATH] [PATH_IN_REPO]

Pushes a file or a folder to a repo as one commit; very large folders become several.
A repo or branch that is missing is made. The last line on standard output is the
commit's URL, or that of the pull request. When nothing has changed, no commit is made.

Arguments:
  REPO                  org/name, or a URI: hf://datasets/org/name@branch/folder
  PATH                  file or folder to push, or a pattern such as "*.safetensors"
                        of files below the working folder; default: what is named
                        like the repo
  PATH_IN_REPO          where it goes; default: a file's name, for a folder the root,
                        which is also called "."

Options:
  --repo-type TYPE      model (default), dataset or space; also --type
  --revision REVISION   branch or refs/pr/N; default: main
  --private             when the repo is made, make it private
  --include PATTERN     only files that match; may be repeated
  --exclude PATTERN     not the files that match; may be repeated
  --delete PATTERN      delete the repo's files that match, in the same commit, but not
                        those that are pushed; may be repeated
  --commit-message TEXT
                        what was done
  --commit-description TEXT
                        more about it
  --create-pr           make a pull request of it
  --parent-commit COMMIT
                        fail unless the branch is at this commit
  --every PERIOD        go on, and push what was added and changed every PERIOD: minutes,
                        or a time such as 90s or 1h
  --detach              do not wait for the end: print the job's number as soon as the
                        daemon has the files, and needs neither them nor this command
  --attached            let the daemon read the files while it pushes, without a copy:
                        the push ends with this command
  --priority CLASS      interactive, normal (default) or background
  --token TOKEN         use this token for this call ("": none), instead of HF_TOKEN
                        or the stored one. Others can see it in the process list
                        for a moment: `wharf auth login` is safer
  --format FORMAT       human (default; also auto, agent), json or quiet
  --json                print one object; errors too, on standard error
  -q, --quiet           print only the URL or number, and show no progress
  -h, --help            show this help

Patterns are matched as by `hf`: on the whole path below the folder, "*" also crosses
"/", "folder/" means all below, upper and lower case differ; those of --delete on the
repo's paths below PATH_IN_REPO. What lies in .git or .cache/huggingface is never
pushed. Links to files are followed, links to folders are not.

The daemon takes the files over first: where the file system can share them (reflink)
that needs no room. From then on the push arrives, also when this command or the daemon
is killed. Ctrl-C before that gives it up; after that the push goes on as a job.

With --every, files that grow are pushed up to the size they have, each push is a job
in the background, "Scheduled Commit" is its message unless another is given, and Ctrl-C
or SIGTERM pushes once more and ends. With --json there is one object for each push.

Exit codes: those of `wharf download`; 1 also when the branch is not where
--parent-commit says.

Examples:
  wharf upload org/model ./checkpoint
  wharf upload org/model model.safetensors weights/model.safetensors
  wharf upload org/data ./data train --repo-type dataset --delete "*.parquet"
  wharf upload org/model ./run --detach --commit-message "Epoch 34"
  wharf upload org/model ./logs logs --every 5m
)help";

constexpr std::string_view large_folder_help =
    R"help(Usage: wharf upload-large-folder [OPTIONS] REPO PATH

Pushes a folder to the root of a repo, as `wharf upload` does, for those who are used
to this name: every push of the daemon goes on after whatever interrupts it, and sends
nothing twice.

Options:
  --repo-type TYPE      model, dataset or space; also --type. It must be given
  --revision REVISION   branch or refs/pr/N; default: main
  --private             when the repo is made, make it private
  --include PATTERN     only files that match; may be repeated
  --exclude PATTERN     not the files that match; may be repeated
  --token TOKEN         use this token for this call ("": none), instead of HF_TOKEN
                        or the stored one. Others can see it in the process list
                        for a moment: `wharf auth login` is safer
  --num-workers N       accepted for habit, with a note: the daemon decides about
                        connections
  --no-report           accepted for habit
  --no-bars             accepted for habit: --quiet shows no progress
  --format FORMAT       human (default; also auto, agent), json or quiet
  --json                print one object; errors too, on standard error
  -q, --quiet           print only the URL, and show no progress
  -h, --help            show this help

Exit codes: those of `wharf upload`.

Example:
  wharf upload-large-folder org/data ./data --repo-type dataset
)help";

constexpr std::string_view repo_files_help =
    R"help(Usage: wharf repo-files COMMAND [OPTIONS]

Changes files of a repo without having them here.

Commands:
  delete                 delete files of a repo

Options:
  -h, --help             show this help; also behind each command

Example:
  wharf repo-files delete org/model "*.bin" old/
)help";

constexpr std::string_view delete_help =
    R"help(Usage: wharf repo-files delete [OPTIONS] REPO PATTERN...

Deletes the files of a repo that match, as one commit. The last line on standard output
is the commit's URL, or that of the pull request. A pattern is matched on the whole
path; "*" also crosses "/", and "folder/" is a whole folder.

Options:
  --repo-type TYPE      model (default), dataset or space; also --type
  --revision REVISION   branch or refs/pr/N; default: main
  --commit-message TEXT
                        what was done
  --commit-description TEXT
                        more about it
  --create-pr           make a pull request of it
  --parent-commit COMMIT
                        fail unless the branch is at this commit
  --detach              do not wait for the end: print the job's number
  --priority CLASS      interactive, normal (default) or background
  --token TOKEN         use this token for this call ("": none), instead of HF_TOKEN
                        or the stored one. Others can see it in the process list
                        for a moment: `wharf auth login` is safer
  --format FORMAT       human (default; also auto, agent), json or quiet
  --json                print one object; errors too, on standard error
  -q, --quiet           print only the URL or number, and show no progress
  -h, --help            show this help

Exit codes: those of `wharf upload`.

Examples:
  wharf repo-files delete org/model pytorch_model.bin "*.h5"
  wharf repo-files delete org/data old/ --repo-type dataset --create-pr
)help";

constexpr std::array<HelpText, 4> texts{{{"upload", upload_help},
                                         {"upload-large-folder", large_folder_help},
                                         {"repo-files", repo_files_help},
                                         {"repo-files delete", delete_help}}};

} // namespace

std::span<const HelpText> upload_helps() {
    return texts;
}

} // namespace wharf::cli
