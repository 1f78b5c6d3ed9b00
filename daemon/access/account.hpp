#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

namespace wharf::access {

/// An account as the machine knows it.
struct Account {
    uid_t uid = 0;
    std::string name;                ///< empty: the machine knows none of that number
    std::vector<std::string> groups; ///< each by number and by name; the primary one, too

    bool operator==(const Account&) const = default;
};

/// Asks the machine, which may ask its directory server: blocks, maybe for long.
Account look_up_account(uid_t uid);

} // namespace wharf::access
