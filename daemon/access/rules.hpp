#pragma once

#include <string>
#include <vector>

namespace wharf::access {

/// Accounts as an administrator names them: users and groups, each by name or number; "*" among
/// either is everybody.
struct Accounts {
    std::vector<std::string> users;
    std::vector<std::string> groups;
    bool operator==(const Accounts&) const = default;
};

/// Who may do what, as configured in [access]. The defaults are those of the system service.
struct Rules {
    Accounts allow{.users = {}, .groups = {"wharf"}}; ///< may connect
    Accounts download;                                ///< may have files fetched; empty: all
    Accounts upload = {};                             ///< may push to the Hub; empty: all
    Accounts admin{.users = {"root"}, .groups = {"wharf-admin"}};
    bool operator==(const Rules&) const = default;
};

} // namespace wharf::access
