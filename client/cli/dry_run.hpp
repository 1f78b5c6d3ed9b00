#pragma once

#include "client/cli/session.hpp"
#include "client/cli/wire.hpp"

namespace wharf::cli {

/// Prints what a download would fetch. With `force` also what is already there.
void print_dry_run(const Listing& listing, const Selection& selection, bool force,
                   const Session& session);

} // namespace wharf::cli
