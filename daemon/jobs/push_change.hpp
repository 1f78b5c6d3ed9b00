#pragma once

#include "daemon/hub/types.hpp"
#include "daemon/hub/upload_client.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace wharf::jobs {

/// A file that shall become what another one is.
struct PushedCopy {
    std::string path;
    std::string from_path;
    std::optional<hub::RepoId> from_repo;     ///< none: the same repo
    std::optional<std::string> from_revision; ///< none: what the push goes on top of, or "main"
};

/// One thing that a push changes, and how far that is.
struct PushChange {
    enum class Kind { add, copy, delete_file, delete_folder, delete_pattern };

    std::int64_t number = 0; ///< its place in the upload
    Kind kind = Kind::add;
    std::string path;  ///< where it is in the repo; of a pattern: the pattern
    std::string below; ///< of a pattern: the folder it is relative to; empty: the root

    // Of files that are added.
    std::string staged; ///< name in staging; empty: its caller's descriptor
    std::uint64_t size = 0;
    std::string hashes; ///< of the content, as far as known; see store::StagedFile

    // Of copies.
    std::string from_path;
    std::optional<hub::RepoId> from_repo;
    std::optional<std::string> from_revision;

    // What was found out.
    std::optional<hub::UploadMode> mode; ///< how the Hub wants it
    bool ignored = false;                ///< by .gitignore
    std::string remote; ///< hash of what the Hub had there when it was last asked; empty: nothing
    std::string oid;    ///< hash of the content: sha256 (lfs) or git's blob id
    bool sent = false;  ///< the Hub has the content
    std::uint64_t commit = 0; ///< number in the series of the commit it belongs to; 0: none yet
    bool done = false;        ///< that commit is in, or nothing had to be changed

    bool is_content() const noexcept { return kind == Kind::add; }
    bool is_deletion() const noexcept { return kind > Kind::copy; }
    /// Whether the Hub has the same content at that path already.
    bool is_no_op() const noexcept { return !remote.empty() && remote == oid; }
};

/// A commit that was sent, or will be in a moment: what tells after a crash whether it arrived.
struct SentCommit {
    std::uint64_t number = 0; ///< in the series, from 1; 0: the opening of the pull request
    std::string parent;       ///< what the branch was at
    std::string title;
};

/// All that is known of an upload's work.
struct PushState {
    std::vector<PushChange> changes; ///< by number
    std::optional<SentCommit> pending;
    std::uint64_t commits = 0;                 ///< that are in
    std::optional<std::uint64_t> pull_request; ///< its number, once it is open
};

} // namespace wharf::jobs
