#pragma once

#include <array>
#include <string_view>

namespace wharf::jobs {

/// The schema of uploads.db, one step per version; see sqlite::Database::migrate(). A step that was
/// released is never changed: add the next one.
inline constexpr std::array<std::string_view, 2> upload_schema{
    // Version 1.
    R"sql(
CREATE TABLE upload (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice: also a folder's name
    uid     INTEGER NOT NULL,
    commits INTEGER NOT NULL DEFAULT 0,         -- that are in
    pull_request INTEGER                        -- NULL: none is open
);

CREATE TABLE change (
    upload        INTEGER NOT NULL REFERENCES upload (id),
    number        INTEGER NOT NULL,
    kind          INTEGER NOT NULL,  -- 0 add, 1 copy, 2 delete file, 3 folder, 4 pattern
    path          TEXT    NOT NULL,
    below         TEXT    NOT NULL,
    staged        TEXT    NOT NULL,  -- name in staging; '': none
    size          INTEGER NOT NULL,
    known_etag    TEXT    NOT NULL,
    from_path     TEXT    NOT NULL,
    from_type     TEXT,              -- NULL: the same repo
    from_repo     TEXT,
    from_revision TEXT,
    mode          INTEGER,           -- 0 regular, 1 lfs; NULL: not asked yet. From here on: found out
    ignored       INTEGER NOT NULL DEFAULT 0,
    remote        TEXT    NOT NULL DEFAULT '',
    oid           TEXT    NOT NULL DEFAULT '',
    sent          INTEGER NOT NULL DEFAULT 0,
    commit_number INTEGER NOT NULL DEFAULT 0,
    done          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;

-- The commit that may or may not have arrived.
CREATE TABLE pending (
    upload INTEGER PRIMARY KEY REFERENCES upload (id),
    number INTEGER NOT NULL,
    parent TEXT    NOT NULL,
    title  TEXT    NOT NULL
);

-- Objects that are sent in parts. The URLs let whoever has them write: they are sealed.
CREATE TABLE object (
    upload INTEGER NOT NULL REFERENCES upload (id),
    oid    TEXT    NOT NULL,
    action BLOB    NOT NULL,
    PRIMARY KEY (upload, oid)
) WITHOUT ROWID;

CREATE TABLE part (
    upload INTEGER NOT NULL,
    oid    TEXT    NOT NULL,
    number INTEGER NOT NULL,
    etag   TEXT    NOT NULL,
    PRIMARY KEY (upload, oid, number)
) WITHOUT ROWID;
)sql",
    // Version 2: a content may have several hashes, with a blank between two.
    R"sql(
ALTER TABLE change RENAME COLUMN known_etag TO hashes;
)sql",
};

} // namespace wharf::jobs
