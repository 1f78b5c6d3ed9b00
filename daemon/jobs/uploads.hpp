#pragma once

#include "daemon/async/event.hpp"
#include "daemon/async/foreign_fd.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/jobs/job_table.hpp"
#include "daemon/jobs/upload_work.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

namespace wharf::jobs {

/// What somebody wants to push, as it comes from outside but checked.
struct UploadRequest {
    uid_t uid = 0;
    hub::RepoId repo;
    std::string revision = "main";
    CommitOrder commit; ///< but for its upload
    Priority priority = Priority::normal;
    hub::Token token;
};

/// A file to take in; see store::StagingOrder.
struct OfferedFile {
    std::string path;
    async::ForeignFd source;
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

/// Takes in what people push, and starts the jobs that bring it to the Hub. What an upload keeps
/// goes when its job is done or cancelled; that of a failed one stays, so that it can be retried.
/// Control thread.
class Uploads {
  public:
    /// Requires: everything referred to outlives this; the table makes its pushes' work with
    /// work_for(), and tells job_over().
    Uploads(UploadContext context, JobTable& table, JobStore& jobs);
    ~Uploads();

    /// Removes what is left of uploads that have no job, and begins to look for those that nobody
    /// goes on with. Blocks for a moment. Before table.start().
    void start();

    /// An upload without changes yet. Throws quota when the account has too many; unauthorized
    /// without a token; invalid_request for a revision that is no branch.
    Awaitable<std::uint64_t> begin(UploadRequest request);

    struct Added {
        std::uint64_t files = 0;
        std::uint64_t bytes = 0;
        std::uint64_t shared = 0; ///< bytes that needed no copy
    };

    /// Throws invalid_request for paths that cannot be, a file twice, and what cannot be taken;
    /// quota, no_space. job_not_found: no such upload of that account. One call for an upload at a
    /// time. What is wrong with the call changes nothing; when a file could not be taken, the whole
    /// upload is dropped.
    Awaitable<Added> add(uid_t uid, std::uint64_t upload, OfferedChanges changes);

    /// Whether its files are its caller's descriptors. Throws job_not_found.
    bool is_attached(uid_t uid, std::uint64_t upload);

    /// Starts the job. It is durable at the return, unless the upload is attached.
    Awaitable<std::unique_ptr<Watch>> submit(uid_t uid, std::uint64_t upload);

    Awaitable<> discard(uid_t uid, std::uint64_t upload);

    /// What a job does that is a push. Requires: this and `record` outlive it.
    std::unique_ptr<Work> work_for(JobRecord& record);

    /// The job needs what its upload keeps no more, or may be retried with it.
    void job_over(const JobRecord& record);

    /// Bytes of an account that are staged now.
    std::uint64_t staged_bytes(uid_t uid) const;

    /// Who has files staged.
    std::set<uid_t> accounts() const;

    /// Waits until nothing is removed any more.
    Awaitable<> stop();

  private:
    /// An upload that is not submitted.
    struct Draft {
        UploadRequest request;
        std::unordered_set<std::string> paths; ///< of what is added
        std::int64_t changes = 0;
        Added added;
        bool busy = false; ///< a call is at work on it
        std::chrono::steady_clock::time_point heard = std::chrono::steady_clock::now();
    };
    class Use;
    struct Kept {
        uid_t uid = 0;
        std::uint64_t bytes = 0; ///< staged
    };

    Draft& find(uid_t uid, std::uint64_t upload);
    void audit(const JobRecord& record);
    void check(const Draft& draft, const OfferedChanges& changes) const;
    std::vector<PushChange> listed(const OfferedChanges& changes) const;
    std::int64_t unsubmitted_changes(uid_t uid) const;
    void require_few_drafts(uid_t uid) const;
    void require_few_attached(uid_t uid) const;
    Awaitable<> take_one(std::uint64_t upload, Draft* draft, OfferedChanges* offered,
                         PushChange* change, std::size_t place);
    Awaitable<> attach_one(std::uint64_t upload, uid_t uid, OfferedFile* file, PushChange* change);
    std::optional<std::uint64_t> staging_left(uid_t uid) const; ///< none: no limit
    void require_quota(uid_t uid, std::uint64_t more) const;
    const store::AttachedFile* attached(std::uint64_t upload, std::int64_t number) const;
    void remove_soon(std::uint64_t upload);
    Awaitable<> remove(std::uint64_t upload);
    Awaitable<> keep_house(std::vector<std::uint64_t> in_use);
    Awaitable<> drop_abandoned();

    UploadContext context_;
    JobTable& table_;
    JobStore& jobs_;
    FindAttached find_attached_;
    Turns large_pushes_{1};
    std::map<std::uint64_t, Draft> drafts_;
    std::map<std::uint64_t, std::map<std::int64_t, store::AttachedFile>> attached_;
    std::map<std::uint64_t, Kept> kept_; ///< all uploads
    bool ready_ = false;                 ///< what crashes left is gone
    async::Event ready_event_;
    async::TaskGroup house_; // last: ends before what it uses
};

} // namespace wharf::jobs
