#pragma once

#include "client/cli/daemon.hpp"
#include "client/cli/options.hpp"
#include "client/cli/progress_display.hpp"
#include "client/cli/session.hpp"
#include "client/cli/upload_call.hpp"
#include "client/cli/upload_wire.hpp"

#include <string>

/// What the commands share that make a commit.
namespace wharf::cli {

/// The order for a commit, but for the place; `message` is what it says unless the caller did.
/// Searches the token; what is wrong with that is shown. Throws Error.
UploadOrder make_order(const CommitArguments& commit, std::string message, const Session& session,
                       ProgressDisplay& display);

/// What was asked for, as the beginning of an object.
json::object describe(const UploadOrder& order);

/// Submits, waits for the end unless it is detached, and prints what came of it. Throws Failure.
void finish_push(UploadCall& upload, const UploadOrder& order, bool detach, const Session& session,
                 ProgressDisplay& display);

} // namespace wharf::cli
