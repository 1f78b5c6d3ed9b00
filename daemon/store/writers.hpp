#pragma once

#include "daemon/store/directory.hpp"

namespace wharf::store {

/// Takes the right to write from others, in every repo of a cache that was shared in the past: on
/// the folders and files that are ours. A look at a few folders for each repo; all of it is gone
/// through only where one of these is open. What belongs to other accounts is logged.
void keep_writers_out(const Directory& cache);

} // namespace wharf::store
