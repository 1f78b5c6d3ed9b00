#pragma once

#include <cstddef>
#include <map>
#include <sys/types.h>

namespace wharf::service {

/// What the clients of one uid take together; ServerOptions says how much that may be. There is
/// one for each uid with a connection. One thread.
struct UserShare {
    std::size_t connections = 0;
    std::size_t calls = 0;       ///< being answered that may take long
    std::size_t bytes = 0;       ///< of calls that have come and answers that were not read yet
    std::size_t descriptors = 0; ///< that came with calls
};

using UserShares = std::map<uid_t, UserShare>;

} // namespace wharf::service
