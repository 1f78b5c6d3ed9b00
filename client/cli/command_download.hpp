#pragma once

#include "client/cli/options.hpp"
#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf download` and `wharf prefetch`. Throws Failure and Error.
void run_download(const DownloadCommand& command, const Session& session);

} // namespace wharf::cli
