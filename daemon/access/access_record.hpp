#pragma once

#include "daemon/access/moment.hpp"
#include "daemon/hub/types.hpp"

#include <optional>
#include <sys/types.h>
#include <vector>

namespace wharf::access {

/// What a later run is to know of a repo that was public when the Hub was last asked.
struct PublicRecord {
    hub::RepoId repo;
    WallTime proven; ///< when the Hub was asked

    bool operator==(const PublicRecord&) const = default;
};

/// What a later run is to know of a grant. Never a token.
struct GrantRecord {
    uid_t uid = 0;
    hub::RepoId repo;
    WallTime proven; ///< when the Hub was asked
    WallTime used;
    bool by_stored = false; ///< proven by the token that the account has stored

    bool operator==(const GrantRecord&) const = default;
};

struct AccessRecords {
    std::vector<PublicRecord> publics;
    std::vector<GrantRecord> grants;
};

/// What names a record: a grant has an account, a public repo has none.
struct RecordKey {
    hub::RepoId repo;
    std::optional<uid_t> uid;

    auto operator<=>(const RecordKey&) const = default;
};

/// A record as it is now; without times it is gone.
struct RecordChange {
    struct Times {
        WallTime proven;
        WallTime used;
        bool by_stored = false;
    };
    RecordKey key;
    std::optional<Times> times;
};

} // namespace wharf::access
