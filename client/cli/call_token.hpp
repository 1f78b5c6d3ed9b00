#pragma once

#include "client/cli/daemon.hpp"
#include "client/cli/progress_display.hpp"
#include "client/cli/session.hpp"

#include <optional>
#include <string>

namespace wharf::cli {

/// The token that goes along with a call, as `TokenSearch` has it; what is wrong with a file it was
/// looked for in is shown. Throws Error.
std::optional<std::string> search_token(const std::optional<std::string>& option,
                                        const Session& session, ProgressDisplay& display);

/// The daemon has one Hub for all: a user whose programs ask another one must hear of it, before
/// his token goes there. Without HF_ENDPOINT the daemon's is meant. Throws Failure (usage).
void compare_endpoints(Daemon& daemon, const std::optional<std::string>& token,
                       const Session& session, ProgressDisplay& display);

} // namespace wharf::cli
