#pragma once

#include <array>
#include <string_view>

namespace wharf::access {

/// The schema of quota.db, one step per version; see sqlite::Database::migrate(). A step that was
/// released is never changed: add the next one.
inline constexpr std::array<std::string_view, 1> quota_schema{
    // Version 1.
    R"sql(
CREATE TABLE repo (
    id    INTEGER PRIMARY KEY,
    type  TEXT NOT NULL,  -- "model", "dataset", "space"
    name  TEXT NOT NULL,  -- "org/name"
    UNIQUE (type, name)
);

CREATE TABLE blob (
    id       INTEGER PRIMARY KEY,
    hash     BLOB    NOT NULL UNIQUE,  -- the etag, 20 or 32 bytes
    size     INTEGER NOT NULL,
    carriers INTEGER NOT NULL          -- how many accounts share its cost
);

-- For the sake of which repos an account carries a blob.
CREATE TABLE share (
    uid  INTEGER NOT NULL,
    blob INTEGER NOT NULL REFERENCES blob (id),
    repo INTEGER NOT NULL REFERENCES repo (id),
    PRIMARY KEY (uid, blob, repo)
) WITHOUT ROWID;

CREATE INDEX share_of_blob ON share (blob, uid);

-- Bytes of the blobs that an account carries, by the number of those who carry them. What is
-- attributed to it is the sum of bytes / carriers; kept, because it is asked far more often than it
-- changes.
CREATE TABLE load (
    uid      INTEGER NOT NULL,
    carriers INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    PRIMARY KEY (uid, carriers)
) WITHOUT ROWID;
)sql",
};

} // namespace wharf::access
