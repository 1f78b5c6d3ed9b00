#pragma once

#include "daemon/jobs/job.hpp"

#include <deque>
#include <memory>
#include <vector>

namespace wharf::jobs {

/// Somebody's interest in a job. Giving it up (destroying it) leaves the job to others who wait for
/// it; when there are none, the job pauses. Control thread.
class Watch {
  public:
    explicit Watch(std::shared_ptr<Job> job);
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch();

    Job& job() const noexcept { return *job_; }

  private:
    std::shared_ptr<Job> job_;
};

/// All jobs, running and past. Control thread.
class JobTable {
  public:
    explicit JobTable(JobContext context) : context_{std::move(context)} {}

    /// Joins the job that does the same work already, wakes a paused one, or starts a new one.
    std::unique_ptr<Watch> ask(DownloadOrder order);

    /// The job, if it exists and `uid` may see it: its own, or any for an administrator.
    /// Errors: job_not_found.
    std::shared_ptr<Job> find(std::uint64_t id, uid_t uid) const;

    /// Those `uid` may see, newest first; without `all` only those that are not over.
    std::vector<std::shared_ptr<Job>> list(uid_t uid, bool all) const;

    std::size_t count(JobState state) const noexcept;

    /// Pauses all jobs and waits until none runs.
    Awaitable<> stop();

  private:
    void trim();

    JobContext context_;
    std::deque<std::shared_ptr<Job>> jobs_; ///< oldest first
    std::uint64_t last_id_ = 0;
};

} // namespace wharf::jobs
