#include "client/cli/help_groups.hpp"

namespace wharf::cli {

namespace {

constexpr std::string_view group_help = R"help(Usage: wharf auth COMMAND [OPTIONS]

The daemon can keep a token of yours, encrypted, and uses it for your calls alone.

Commands:
  login       have the daemon keep a token
  logout      have it forgotten
  whoami      show whose token your calls work with
  list        show what is kept, never the tokens; also: ls

Options:
  -h, --help  show this help; also behind each command

A call works with the first of these: --token, HF_TOKEN, the file HF_TOKEN_PATH names,
$HF_HOME/token, and the token that the daemon keeps for you.

Examples:
  wharf auth login
  wharf auth whoami
)help";

constexpr std::string_view login_help = R"help(Usage: wharf auth login [OPTIONS]

Asks the Hub whose the token is, and has the daemon keep it for your account, in place
of an earlier one. On a terminal it is asked for and not shown; else the first line of
standard input is taken. Nothing is kept when the Hub does not know the token.

Options:
  --token TOKEN     this one. Others can see it in the process list (`ps`) for a
                    moment, and your shell may note it down: better leave it out
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Auth has it; errors too
  -q, --quiet       print only your user name at the Hub
  -h, --help        show this help

Exit codes: 0 done, 2 not what a token looks like, or HF_ENDPOINT names another Hub,
4 the Hub does not know it, 5 Hub not reachable, 8 daemon not reachable, 130
interrupted, 1 anything else.

Examples:
  wharf auth login
  wharf auth login < token-file
)help";

constexpr std::string_view logout_help = R"help(Usage: wharf auth logout [OPTIONS]

Has the daemon forget your token. HF_TOKEN and the files of `hf` stay as they are, and
detached jobs keep the token they were asked for with until they are over.

Options:
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object; its token is null when there was none
  -q, --quiet       print only the user name whose token it was
  -h, --help        show this help

Exit codes: 0 done or not logged in, 8 daemon not reachable, 1 anything else.
)help";

constexpr std::string_view whoami_help = R"help(Usage: wharf auth whoami [OPTIONS]

Asks the Hub whose the token is that your calls work with.

Options:
  --token TOKEN     ask about this one; see `wharf auth login --help`
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Auth.WhoAmI gives it
  -q, --quiet       print only the user name
  -h, --help        show this help

Exit codes: 0 done, 2 HF_ENDPOINT names another Hub, 4 no token or one that the Hub
does not know, 5 Hub not reachable, 8 daemon not reachable, 1 anything else.
)help";

constexpr std::string_view list_help = R"help(Usage: wharf auth list [OPTIONS]

Shows what the daemon keeps for your account: whose token, its name at the Hub and
since when, never the token.

Options:
  -a, --all         of all accounts, for administrators
  --format FORMAT   human (default; also auto, agent), json or quiet
  --json            print one object, as org.wharf.Auth.List gives it; times in UTC
  -q, --quiet       print only the user names at the Hub
  -h, --help        show this help

Exit codes: 0 done, 4 --all without being an administrator, 8 daemon not reachable,
1 anything else.
)help";

constexpr std::array<HelpText, 5> texts{{{"auth", group_help},
                                         {"auth login", login_help},
                                         {"auth logout", logout_help},
                                         {"auth whoami", whoami_help},
                                         {"auth list", list_help}}};

} // namespace

std::span<const HelpText> auth_helps() {
    return texts;
}

} // namespace wharf::cli
