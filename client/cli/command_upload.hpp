#pragma once

#include "client/cli/options.hpp"
#include "client/cli/session.hpp"

namespace wharf::cli {

/// `wharf upload` and `wharf upload-large-folder`. Throws Failure and Error.
void run_upload(const UploadCommand& command, const Session& session);

/// `wharf repo-files delete`. Throws Failure and Error.
void run_delete_files(const DeleteFilesCommand& command, const Session& session);

} // namespace wharf::cli
