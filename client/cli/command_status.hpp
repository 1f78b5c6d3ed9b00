#pragma once

#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf status`: the daemon, and what it is doing now.
void run_status(const Session& session);

} // namespace wharf::cli
