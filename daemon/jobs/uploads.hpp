#pragma once

#include "base/unique_fd.hpp"
#include "daemon/jobs/job_table.hpp"
#include "daemon/jobs/upload_work.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::jobs {

/// What somebody wants to push, as it comes from outside but checked.
struct UploadRequest {
    uid_t uid = 0;
    hub::RepoId repo;
    std::string revision = "main";
    CommitOrder commit;
    Priority priority = Priority::normal;
    hub::Token token;
};

/// A file to take in; see store::StagingOrder.
struct OfferedFile {
    std::string path;
    UniqueFd source;
    std::optional<std::uint64_t> size;
};

struct OfferedContent {
    std::string path;
    std::string content;
};

/// Changes that are added to an upload in one call.
struct OfferedChanges {
    std::vector<OfferedFile> files;
    std::vector<OfferedContent> contents;
    std::vector<PushedCopy> copies;
    std::vector<std::string> deleted_files;
    std::vector<std::string> deleted_folders;
    std::vector<std::string> delete_patterns;
    std::string below; ///< where the patterns begin; empty: at the root
};

/// Takes in what people push, and starts the jobs that bring it to the Hub. Control thread.
class Uploads {
  public:
    /// Requires: everything referred to outlives this.
    Uploads(const UploadContext& context, JobTable& table);
    ~Uploads();

    /// Removes what is left of uploads that have no job. Blocks for a moment. Before table.start().
    void start();

    /// An upload without changes yet. Throws quota when the account has too many.
    Awaitable<std::uint64_t> begin(UploadRequest request);

    struct Added {
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;
        std::uint64_t shared = 0; ///< bytes that needed no copy
    };

    /// Throws invalid_request for paths that cannot be, a file twice, and what cannot be taken;
    /// quota, no_space. All of it is added or nothing. job_not_found: no such upload of that
    /// account.
    Awaitable<Added> add(uid_t uid, std::uint64_t upload, OfferedChanges changes);

    /// Starts the job. It is durable at the return, unless the upload is attached.
    Awaitable<std::unique_ptr<Watch>> submit(uid_t uid, std::uint64_t upload);

    Awaitable<> discard(uid_t uid, std::uint64_t upload);

    /// What a job has come to; for one that is done.
    static UploadOutcome outcome_of(const JobRecord& record);

    /// Bytes of an account that are staged now.
    std::uint64_t staged_bytes(uid_t uid) const;

    Awaitable<> stop();
};

} // namespace wharf::jobs
