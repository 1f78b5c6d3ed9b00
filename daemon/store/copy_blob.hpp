#pragma once

#include "daemon/store/directory.hpp"
#include "daemon/store/file_system.hpp"
#include "daemon/store/partial_file.hpp"
#include "daemon/store/staging.hpp"

#include <memory>
#include <string>

namespace wharf::store {

/// Copies a verified blob of a repo, sharing the space if the file system can, to be published
/// elsewhere. Null if the file is not there any more or does not look as `expected`. Throws
/// no_space and storage Errors. Blocks.
std::unique_ptr<PartialFile> copy_blob(const Directory& cache, Staging& staging, const Space& space,
                                       const std::string& etag, const std::string& from,
                                       const Stamp& expected);

} // namespace wharf::store
