#pragma once

#include "daemon/store/directory.hpp"
#include "daemon/store/partial_file.hpp"
#include "daemon/store/staging.hpp"

#include <optional>
#include <string>

namespace wharf::store {

/// Flushes a finished file and makes it a blob of a repo, whose folders are made when missing (also
/// when somebody removes them at the same time). Durable when it returns. Blocks.
Stamp publish_blob(const Directory& cache, PartialFile& file, const std::string& repo_folder);

/// Copies a verified blob of one repo to another, sharing the space if the file system can. None if
/// the file is not there any more or does not look as `expected`. Blocks.
std::optional<Stamp> copy_blob(const Directory& cache, Staging& staging, const std::string& etag,
                               const std::string& from, const std::string& to,
                               const Stamp& expected);

} // namespace wharf::store
