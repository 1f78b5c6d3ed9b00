#pragma once

#include "client/cli/command_line.hpp"

/// What the commands accept, group by group.
namespace wharf::cli {

/// `download` and `prefetch`.
void declare_downloads(CommandLine& line);

/// `upload`, `upload-large-folder` and `repo-files delete`.
void declare_uploads(CommandLine& line);

/// `jobs` and what stands below it.
void declare_jobs(CommandLine& line);

/// `auth` and what stands below it.
void declare_auth(CommandLine& line);
/// `quota` and what stands below it.
void declare_quota(CommandLine& line);

} // namespace wharf::cli
