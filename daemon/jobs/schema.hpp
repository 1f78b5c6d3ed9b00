#pragma once

#include <array>
#include <string_view>

namespace wharf::jobs {

/// The schema of jobs.db, one step per version; see sqlite::Database::migrate(). A step that was
/// released is never changed: add the next one. Times are milliseconds since 1970 in UTC.
inline constexpr std::array<std::string_view, 2> job_schema{
    // Version 1.
    R"sql(
CREATE TABLE job (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    uid            INTEGER NOT NULL,  -- whose job it is
    kind           TEXT    NOT NULL,  -- "download", "commit"
    repo_type      TEXT    NOT NULL,  -- "model", "dataset", "space"
    repo           TEXT    NOT NULL,  -- "org/name"
    revision       TEXT    NOT NULL,  -- as asked
    commit_id      TEXT,              -- NULL: not known yet
    ref_before     TEXT,              -- what the cache's ref said when the work began; '': no ref
    force          INTEGER NOT NULL,  -- 1: fetch again what is there
    priority       TEXT    NOT NULL,  -- "interactive", "normal", "background"
    detached       INTEGER NOT NULL,  -- 1: goes on after a restart
    held           INTEGER NOT NULL,  -- 1: somebody said Pause
    state          TEXT    NOT NULL,  -- "queued", "running", ...; "running" also after a crash
    reason         TEXT    NOT NULL,  -- why it waits or is paused; may be empty
    waiting_until  INTEGER,
    created        INTEGER NOT NULL,
    troubled_since INTEGER,           -- since when it only met errors
    finished       INTEGER,           -- NULL: not over
    files_done     INTEGER NOT NULL,  -- counts: at the last change of state
    files_total    INTEGER NOT NULL,
    bytes_done     INTEGER NOT NULL,
    bytes_total    INTEGER NOT NULL,
    failure        TEXT,              -- the kind of Error, as in logs; NULL: did not fail
    message        TEXT,              -- its sentence
    hint           TEXT,
    token          BLOB               -- sealed (access::Sealer) for "<id> <uid>"; NULL: none is kept
);

CREATE INDEX job_of_account ON job (uid, id);
CREATE INDEX job_finished ON job (finished);  -- NULL first: those that are not over

-- Which files of the repo a job means: exact paths and patterns, in the asker's order.
CREATE TABLE selection (
    job      INTEGER NOT NULL REFERENCES job (id),
    list     TEXT    NOT NULL,  -- "files", "include", "exclude"
    position INTEGER NOT NULL,
    text     TEXT    NOT NULL,
    PRIMARY KEY (job, list, position)
) WITHOUT ROWID;
)sql",
    // Version 2: jobs of the kind "commit".
    R"sql(
CREATE TABLE push (
    job          INTEGER PRIMARY KEY REFERENCES job (id),
    upload       INTEGER NOT NULL,  -- its changes are in uploads.db under this number
    summary      TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    parent       TEXT    NOT NULL,  -- the commit the branch must be at; '': any
    create_pr    INTEGER NOT NULL,
    make_repo    INTEGER NOT NULL,  -- 1: repo and branch are made if they are missing
    is_private   INTEGER NOT NULL,  -- of a repo that is made
    attached     INTEGER NOT NULL,  -- 1: its files are its caller's, who must stay
    commits      INTEGER NOT NULL,  -- from here on: what it has come to
    files        INTEGER NOT NULL,
    bytes_sent   INTEGER NOT NULL,
    pull_request INTEGER,           -- NULL: none is open
    warnings     TEXT    NOT NULL   -- a line each
);
)sql",
};

} // namespace wharf::jobs
