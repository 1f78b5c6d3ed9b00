#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/semaphore.hpp"
#include "daemon/jobs/download_work.hpp"
#include "daemon/jobs/job_table.hpp"
#include "daemon/transfer/lookups.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::jobs {

/// What somebody asks for, as it comes from outside but checked.
struct DownloadRequest {
    uid_t uid = 0;
    hub::RepoId repo;
    std::string revision = "main";
    Filter filter;
    bool force = false;
    Priority priority = Priority::normal;
    hub::Token token;
    bool may_fetch = true; ///< false: what is cached may be had, nothing else
};

/// What a request covers, once the Hub or our memory has been asked.
struct Plan {
    transfer::Resolved revision;
    hub::TreePtr tree;
    std::vector<hub::TreeEntry> wanted;
    std::size_t count = 0; ///< of wanted files; stays when the list is dropped
    std::filesystem::path snapshot;
    async::Semaphore::Permit turn = {}; ///< of a long list; see Downloads::plan()
    bool finished = false;              ///< everything is there and durable, and the ref is right
};

/// Answers requests from what is held and starts jobs for the rest. Control thread.
class Downloads {
  public:
    /// Requires: everything referred to outlives this; the table makes its downloads' work with
    /// work_for().
    Downloads(DownloadContext context, JobTable& table)
        : context_{std::move(context)}, table_{table} {}

    /// What a job does that is a download. Requires: this and `record` outlive it.
    std::unique_ptr<Work> work_for(JobRecord& record) const;

    /// The plan of a request for a few files of a known commit that were in place when they were
    /// last asked for and still are: finished, without waiting for anything. None: plan() it.
    std::optional<Plan> warm(const DownloadRequest& request) const;

    /// Finds out which commit and which files are meant; waits when the account has several long
    /// lists at hand already. `note` shows what is being waited for.
    Awaitable<Plan> plan(DownloadRequest request, std::shared_ptr<scheduling::WaitNote> note);

    /// Puts what is held into the snapshot; true when that is everything.
    Awaitable<bool> complete_from_cache(DownloadRequest request, std::shared_ptr<Plan> plan);

    /// Starts or joins the job that brings what is missing. Throws forbidden when the account may
    /// not have anything fetched.
    std::unique_ptr<Watch> start(const DownloadRequest& request, const Plan& plan);

    /// What became of a request whose asker does not wait: a job that survives everything, or, when
    /// all is held already, a finished plan.
    struct Detached {
        JobInfo job;
        std::shared_ptr<Plan> held; ///< null: see the job
    };

    /// Throws what is wrong with the request, if the Hub says so within a few seconds; else the job
    /// finds out. Throws when the job cannot be written down.
    Awaitable<Detached> detach(DownloadRequest request);

    /// Makes a complete snapshot durable and points the revision's ref at it.
    Awaitable<> finish(DownloadRequest request, std::shared_ptr<const Plan> plan);

    /// A read-only descriptor of a file of a finished plan. Asks the gate again: a plan may be
    /// older than its asker's grant.
    Awaitable<UniqueFd> open(DownloadRequest request, std::string commit, std::string path);

    /// Whether the asker cannot open the paths of a plan and needs descriptors: the repo is not
    /// public, and the cache's file system cannot let single accounts in.
    bool by_descriptor_only(const DownloadRequest& request) const;

    /// Which of the plan's files are in the cache.
    Awaitable<std::vector<bool>> held(DownloadRequest request, std::shared_ptr<const Plan> plan);

    bool is_public(const hub::RepoId& repo) const { return context_.gate.is_public(repo); }

    JobTable& table() noexcept { return table_; }

    /// For jobs that begin to fetch from now on.
    void set_files_at_once(std::size_t files) noexcept { context_.files_at_once = files; }

  private:
    Awaitable<> look_up(DownloadRequest request, std::shared_ptr<scheduling::WaitNote> note,
                        Plan* plan);
    struct Planning;
    Awaitable<> make_plan(DownloadRequest request, std::shared_ptr<Planning> planning);
    Awaitable<std::shared_ptr<Plan>> plan_soon(DownloadRequest request);

    DownloadContext context_;
    std::map<uid_t, async::Semaphore> large_plans_; ///< by account
    JobTable& table_;
};

} // namespace wharf::jobs
