#pragma once

#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf env`: the variables that point programs at the shared cache, as lines for a POSIX shell.
void run_env(const Session& session);

} // namespace wharf::cli
