#pragma once

#include "client/cli/options.hpp"
#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf auth login`: has the daemon keep a token for this account. With --quiet the user's name
/// at the Hub.
void run_login(const LoginCommand& command, const Session& session);

/// `wharf auth logout`. There being no token is no failure.
void run_logout(const Session& session);

/// `wharf auth whoami`: whose the token is that calls of this account work with.
void run_whoami(const WhoAmICommand& command, const Session& session);

/// `wharf auth list`: what the daemon keeps, without the tokens.
void run_tokens_list(const TokensListCommand& command, const Session& session);

} // namespace wharf::cli
