#pragma once

#include "daemon/hub/types.hpp"
#include "daemon/store/directory.hpp"
#include "daemon/store/staging.hpp"

#include <string>

namespace wharf::store {

/// trees/<commit>.json of a repo; null if there is none or it is not to be trusted. Blocks.
hub::TreePtr load_tree(const Directory& cache, const std::string& repo_folder,
                       const std::string& commit);

/// Writes it for every user of the cache (the official client's are private to their writer). Not
/// flushed: one that a power failure cut short is noticed and fetched again. Blocks.
void store_tree(const Directory& cache, Staging& staging, const std::string& repo_folder,
                const std::string& commit, const hub::Tree& tree);

} // namespace wharf::store
