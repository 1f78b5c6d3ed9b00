#pragma once

#include "daemon/access/audit.hpp"
#include "daemon/access/quota_limits.hpp"
#include "daemon/access/sealer.hpp"
#include "daemon/jobs/job.hpp"
#include "daemon/jobs/job_store.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace wharf::jobs {

struct JobOptions {
    std::size_t max_running = 64; ///< see Turns
    std::chrono::milliseconds history_age =
        std::chrono::days{30};          ///< jobs over for longer are forgotten
    std::size_t history_count = 10'000; ///< and all but the newest so many
};

/// What the table needs from the rest of the daemon.
struct TableContext {
    Executor executor; ///< the control thread's
    JobStore& store;
    const access::Sealer& sealer; ///< for the tokens of jobs that go on after a restart
    MakeWork make_work;
    JobOptions options;
    access::Audit* audit = nullptr; ///< told when an administrator changes another's job
    /// How many jobs an account may have. Empty: nobody is limited.
    std::function<access::QuotaLimits(uid_t)> limits_of = {};
    /// The token that an account has stored, for its jobs that have none of their own; empty if
    /// there is none.
    std::function<hub::Token(uid_t)> stored_token = {};
    /// Told when a job is over: what it kept for itself may go.
    std::function<void(const JobRecord&)> over = {};
};

/// Somebody who looks at jobs or changes them: his own; everybody's if he administers.
struct Viewer {
    uid_t uid = 0;
    bool administers = false;

    bool may_see(const JobRecord& record) const noexcept {
        return administers || uid == record.order.uid;
    }
};

/// How many unfinished jobs an account has; not those that are paused.
struct JobCounts {
    std::size_t running = 0;
    std::size_t queued = 0; ///< or waiting for better times
};

/// Somebody's interest in a job. Giving it up (destroying it) leaves the job to others who wait for
/// it; when there are none, the job pauses unless it is detached. Control thread.
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

/// All jobs: those that are not over are in memory, the others on disk only. Control thread.
class JobTable {
  public:
    explicit JobTable(TableContext context);
    ~JobTable();

    /// Takes up what an earlier run left: detached jobs go on, others wait to be asked for again.
    /// And keeps the history short from now on. Blocks for a moment.
    void start();

    /// Joins the job that does the same work already, wakes a paused one, or starts a new one. The
    /// more urgent priority counts. A job that somebody paused stays so. Throws invalid_request
    /// when the account has too many jobs, quota when it may not have more than it has.
    std::unique_ptr<Watch> ask(Order order, Priority priority);

    /// The same for somebody who does not wait: returns when the job survives a power failure, and
    /// its first bytes have come or it turned out that they will not come soon. Throws when it
    /// cannot be written down, or was refused by then.
    Awaitable<JobInfo> detach(Order order, Priority priority);

    /// Starts a push. Unless its files are its caller's, it is detached, and durable at the return:
    /// then it goes on with nobody waiting for it. Throws as ask() does.
    Awaitable<std::unique_ptr<Watch>> push(Order order, Priority priority);

    /// Returns when all that happened to jobs so far is written down; so numbers that were given
    /// will never be given again.
    Awaitable<> recorded() { return context_.store.written(); }

    /// Up to `limit` jobs of an account (none: of all) with smaller numbers than `before`, newest
    /// first; without `all` only those that are not over.
    Awaitable<std::vector<JobInfo>> page(std::optional<uid_t> of, bool all, std::uint64_t before,
                                         std::size_t limit);

    /// The job if it is in memory and the viewer may see it; else null, and show() tells.
    std::shared_ptr<Job> find_live(std::uint64_t id, Viewer viewer);

    // On one job. What they changed survives the daemon's end when they return. All throw
    // job_not_found when there is none, or none that the viewer may see; and invalid_request when
    // the job's state does not allow it.
    Awaitable<JobInfo> show(std::uint64_t id, Viewer viewer);
    /// One that is over stays so; but a push that failed gives up what it keeps for a retry.
    Awaitable<JobInfo> cancel(std::uint64_t id, Viewer viewer);
    Awaitable<JobInfo> pause(std::uint64_t id, Viewer viewer);
    /// `token` replaces the one that the job was asked for with, if its own account gives it; where
    /// there is neither, the account's stored one serves. The job is detached from now on, and
    /// durable at the return.
    Awaitable<JobInfo> resume(std::uint64_t id, Viewer viewer, hub::Token token);
    Awaitable<JobInfo> retry(std::uint64_t id, Viewer viewer, hub::Token token);
    Awaitable<JobInfo> prioritize(std::uint64_t id, Viewer viewer, Priority priority);

    /// Of the jobs in memory.
    std::size_t count(JobState state) const;

    JobCounts counts_of(uid_t uid) const;

    /// Who has jobs that are not over.
    std::set<uid_t> accounts() const;

    void set_options(JobOptions options);

    /// What accounts may have has changed.
    void limits_changed() { turns_.reconsider(); }

    /// Stops all work, so that it goes on after a restart, and writes down what is left to write.
    Awaitable<> stop();

  private:
    std::shared_ptr<Job> join_or_add(Order order, Priority priority);
    std::shared_ptr<Job> add(JobRecord record);
    void take_up(JobRecord record);
    void take_token(Job& job, hub::Token token);
    Result<hub::Token> token_of(const JobRecord& record) const;
    hub::Token stored_token(uid_t uid) const;
    void sweep();
    void require_few_jobs(const Order& more) const;
    Awaitable<std::shared_ptr<Job>> find_unfinished(std::uint64_t id, Viewer viewer);
    void audit(const JobRecord& record, Viewer viewer, std::string_view done) noexcept;
    access::QuotaLimits limits_of(uid_t uid) const;
    void require_place_in_queue(uid_t uid) const;
    Awaitable<> make_durable(std::shared_ptr<Job> job);
    Awaitable<> keep_history_short();
    void note_change(const Job& job);
    std::string earlier_push(const JobRecord& record) const;
    std::shared_ptr<Job> add_new(Order order, Priority priority);
    Awaitable<bool> give_up(std::uint64_t id, Viewer viewer);
    void drop_abandoned();

    TableContext context_;
    Turns turns_;
    async::Event moved_on_; ///< a job is over, or paused
    JobContext job_context_;
    std::map<std::uint64_t, std::shared_ptr<Job>> jobs_; ///< those that are over are swept out
    async::TaskGroup house_;
};

} // namespace wharf::jobs
