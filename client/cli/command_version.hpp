#pragma once

#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf version`: that of the command and, when it can be reached, that of the daemon.
void run_version(const Session& session);

} // namespace wharf::cli
