#include "client/cli/help_groups.hpp"

namespace wharf::cli {

namespace {

constexpr std::string_view group_help = R"help(Usage: wharf quota [OPTIONS]
       wharf quota COMMAND [OPTIONS]

Shows how much of the cache and how many jobs you have and may have, and the repos that
you have most of. What several accounts asked for costs each of them its part.

Commands:
  ls                all accounts, for administrators; also: list
  release REPO      give up your share of a repo

Options:
  --user USER       another account's, by name or number, for administrators
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Quota.Show gives it
  -q, --quiet       print only the bytes that you have
  -h, --help        show this help; also behind each command

Exit codes: 0 done, 2 no such user, 4 access refused, 8 daemon not reachable, 1 anything
else.

Examples:
  wharf quota
  wharf quota release datasets/org/data
)help";

constexpr std::string_view ls_help = R"help(Usage: wharf quota ls [OPTIONS]

Lists all accounts that have something, with what they may have. For administrators.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Quota.List gives it
  -q, --quiet       print only the names
  -h, --help        show this help

Exit codes: 0 done, 4 access refused, 8 daemon not reachable, 1 anything else.

Example:
  wharf quota ls --json
)help";

constexpr std::string_view release_help = R"help(Usage: wharf quota release [OPTIONS] REPO

Gives up your share of a repo's files. They may be read as before; when nobody has a
share of them any more, they may be removed. Asking for them again takes it back.

Options:
  --repo-type TYPE  model (default), dataset or space; also: --type
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Quota.Release gives it
  -q, --quiet       print only the bytes that you have fewer now
  -h, --help        show this help

Exit codes: 0 done, 2 wrong usage, 8 daemon not reachable, 1 anything else.

Example:
  wharf quota release org/model
)help";

constexpr std::array<HelpText, 3> texts{
    {{"quota", group_help}, {"quota ls", ls_help}, {"quota release", release_help}}};

} // namespace

std::span<const HelpText> quota_helps() {
    return texts;
}

} // namespace wharf::cli
