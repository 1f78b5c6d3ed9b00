#pragma once

#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/jobs/patience.hpp"
#include "daemon/jobs/speedometer.hpp"
#include "daemon/jobs/turns.hpp"
#include "daemon/jobs/work.hpp"

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::jobs {

class Job;

/// What all jobs share.
struct JobContext {
    Executor executor; ///< the control thread's
    Turns& turns;
    MakeWork make_work;
    std::function<void(const Job&)> changed; ///< its record is to be written down
    /// Why a job may not begin yet, whoever's turn it is; empty: it may.
    std::function<std::string(const JobRecord&)> held_back_by = {};
    async::Event* moved_on = nullptr; ///< then held_back_by may say something else
};

/// A job as people are told about it, running or past. Times and counts as in JobRecord.
struct JobInfo {
    std::uint64_t id = 0;
    uid_t uid = 0;
    hub::RepoId repo;
    std::string revision;
    std::string commit;
    Priority priority = Priority::normal;
    bool detached = false;
    JobState state = JobState::queued;
    std::string reason;
    std::optional<WallClock::time_point> waiting_until;
    WallClock::time_point created;
    std::optional<WallClock::time_point> finished;
    std::size_t watchers = 0;
    Counts counts;
    std::uint64_t bytes_per_second = 0;
    std::vector<FileProgress> in_air;
    std::optional<Error> failure;
    std::optional<CommitOrder> push; ///< of a job that is one
};

/// What a record says about a job that nobody works at.
JobInfo describe(const JobRecord& record);

/// The life of one job. It is queued until it is its turn, and runs as long as somebody waits for
/// it or it is detached. An error ends it; but a detached job waits for better times after an error
/// that heals by itself. All calls return at once and show their effect at once; its task, which
/// may still have to wind up, follows. Control thread.
class Job {
  public:
    /// Requires: `context` outlives it, and its task has ended when it is destroyed.
    Job(const JobContext& context, JobRecord record);
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;

    /// Queues it; a waiting job tries again at once. No effect on one that runs, is held or over.
    void start();

    /// Nobody waits for it any more: pauses it unless it is detached. A push whose files are those
    /// of who waited ends.
    void leave();

    /// Pauses it until resume(); `reason` is told to those who wait.
    void hold(std::string reason);
    void resume();

    /// Whether it goes on with nobody waiting for it. The caller makes that durable.
    void set_detached(bool detached) { record_.detached = detached; }
    void set_priority(Priority priority);
    void cancel();
    void fail(Error error) { finish(JobState::failed, std::move(error)); } ///< before it starts

    /// Ends its work and leaves the record as it is: the daemon stops, and goes on later.
    void halt();

    /// The token of whoever asked last, and its sealed form for the record.
    void set_token(hub::Token token, std::string sealed);

    /// Waits until it is over; throws what made it fail. A cancelled job throws cancelled.
    Awaitable<> ended();

    /// Returns when there is no reason any more to expect that it fails at once, as when the first
    /// file is refused: bytes come, it waits, or a moment has passed.
    Awaitable<> under_way();

    /// Returns when it is over or paused, or after `limit`.
    Awaitable<> settled_within(std::chrono::milliseconds limit);

    /// Waits until its task has ended.
    Awaitable<> stopped();
    bool is_idle() const noexcept { return !task_ || task_->size() == 0; }

    const JobRecord& record() const noexcept { return record_; }

    /// As the record says; but a running job all of whose work is held up is waiting.
    JobState state() const;
    JobInfo info();

    /// Who waits for it now; see Watch.
    std::size_t watchers = 0;

  private:
    void begin();
    void stop_task();
    Awaitable<> run();
    Awaitable<> live();
    Awaitable<std::optional<Error>> attempt();
    Awaitable<> wait_for_order();
    bool is_worth_waiting(const Error& error);
    Awaitable<> wait_after(Error error);
    void enter(JobState state, std::string reason = {});
    void finish(JobState state, std::optional<Error> failure);
    void tell();
    Progress progress() const;

    const JobContext& context_;
    JobRecord record_;
    scheduling::Claimant claimant_;
    std::unique_ptr<Work> work_; ///< from the first attempt until it is over
    std::unique_ptr<async::TaskGroup> task_;
    bool active_ = false;      ///< run() has not ended
    bool stopping_ = false;    ///< and was asked to
    bool start_again_ = false; ///< and shall begin anew then
    bool halted_ = false;
    async::Event changed_;
    async::Event wake_;
    bool woken_ = false;
    Patience patience_;
    std::uint64_t gained_ = 0; ///< at the last error
    Speedometer speedometer_;
};

} // namespace wharf::jobs
