#pragma once

#include <array>
#include <string_view>

namespace wharf::store {

/// The catalogue's schema, one step per version; see sqlite::Database::migrate(). A step that was
/// released is never changed: add the next one.
inline constexpr std::array<std::string_view, 2> catalogue_schema{
    // Version 1.
    R"sql(
-- A folder of the cache that holds one repo.
CREATE TABLE repo (
    id         INTEGER PRIMARY KEY,
    folder     TEXT    NOT NULL UNIQUE,  -- "models--org--name"
    scanned_ns INTEGER NOT NULL          -- mtime of blobs/ when it was last listed; 0: list it
);

-- A file in the blobs/ folder of a repo. The other columns are what stat(2) said when its content
-- was last known to have the hash that is its name; all NULL: never checked by us. A file that
-- looks different now is to be checked again.
CREATE TABLE blob (
    hash     BLOB    NOT NULL,           -- the etag, 20 or 32 bytes
    repo     INTEGER NOT NULL REFERENCES repo (id),
    device   INTEGER,                    -- 0: the cache folder's own file system
    inode    INTEGER,
    size     INTEGER,
    mtime_ns INTEGER,
    PRIMARY KEY (hash, repo)
) WITHOUT ROWID;
)sql",
    // Version 2.
    R"sql(
-- Which verified blob a file is that somebody hands to us.
CREATE INDEX IF NOT EXISTS blob_by_inode ON blob (inode) WHERE inode IS NOT NULL;
)sql",
};

} // namespace wharf::store
