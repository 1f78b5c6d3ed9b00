#pragma once

#include <array>
#include <string_view>

namespace wharf::access {

/// The schema of access.db, one step per version; see sqlite::Database::migrate(). A step that was
/// released is never changed: add the next one. Times are milliseconds since 1970 in UTC.
inline constexpr std::array<std::string_view, 1> access_schema{
    // Version 1.
    R"sql(
-- Repos that all could read when the Hub was last asked. What is not here is not public, or unknown.
CREATE TABLE public_repo (
    repo_type TEXT    NOT NULL,  -- "model", "dataset", "space"
    repo      TEXT    NOT NULL,  -- "org/name"
    proven    INTEGER NOT NULL,  -- when the Hub was asked
    PRIMARY KEY (repo_type, repo)
) WITHOUT ROWID;

-- Accounts that the Hub lets read a repo which is not for all. Never a token.
CREATE TABLE access_grant (
    uid       INTEGER NOT NULL,
    repo_type TEXT    NOT NULL,
    repo      TEXT    NOT NULL,
    proven    INTEGER NOT NULL,
    used      INTEGER NOT NULL,
    by_stored INTEGER NOT NULL,  -- 1: proven by the token that the account had stored
    PRIMARY KEY (uid, repo_type, repo)
) WITHOUT ROWID;
)sql",
};

} // namespace wharf::access
