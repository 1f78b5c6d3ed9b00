#pragma once

#include <set>
#include <sys/types.h>

namespace wharf::store {

/// Who may enter a repo's folder in the cache, beside the daemon itself.
struct Readers {
    bool everyone = false; ///< the repo is public; `uids` does not matter then
    std::set<uid_t> uids;  ///< those with a live grant

    bool operator==(const Readers&) const = default;
};

} // namespace wharf::store
