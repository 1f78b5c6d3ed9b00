#include "client/cli/command_syntax.hpp"

namespace wharf::cli {

void declare_auth(CommandLine& line) {
    auto [login, logged_in] = line.add("auth login", LoginCommand{});
    login.text("--token", logged_in.token);
    login.refused("--add-to-git-credential", "the daemon keeps the token, and git is not told");

    line.add("auth logout", LogoutCommand{});

    auto [whoami, asked] = line.add("auth whoami", WhoAmICommand{});
    whoami.text("--token", asked.token);

    auto [list, listed] = line.add("auth list", TokensListCommand{});
    line.also("auth list", "ls");
    list.flag("-a,--all", listed.all);
}

} // namespace wharf::cli
