#pragma once

#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/jobs/job_rows.hpp"

#include <cstdint>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <sys/types.h>
#include <vector>

namespace wharf::jobs {

/// The jobs on disk, for the control thread: written behind its back on a thread of their own. What
/// comes while a write is on its way is the next one, and of one job only the last state; so a
/// thousand changes a second are a few transactions. A failed write is tried again, until the disk
/// takes it.
class JobStore {
  public:
    /// Opens or makes the file, and blocks meanwhile. Throws storage Errors. Requires: the
    /// executor's event loop outlives this.
    JobStore(Executor executor, const std::filesystem::path& file);

    /// What an earlier run left undone, oldest first. Blocks: for the start.
    std::vector<JobRecord> unfinished() { return rows_->unfinished(); }

    /// See JobRows. Blocks: for the start.
    std::vector<std::uint64_t> uploads_at_start() { return rows_->uploads(); }

    /// The same later, of what has been written.
    Awaitable<std::vector<std::uint64_t>> uploads();

    /// A number for a new job, greater than any before.
    std::uint64_t next_id() noexcept { return ++last_id_; }

    /// Takes down a job as it is now, soon.
    void add(const JobRecord& record) { note(record, true); }
    void update(const JobRecord& record) { note(record, false); }

    /// Returns when all that was taken down has been written, or could not be: that it is logged
    /// is all that can be done then.
    Awaitable<> written();

    /// Takes down a job; returns when it survives a power failure. Throws when it cannot be
    /// written.
    Awaitable<> make_durable(JobRecord record);

    /// See JobRows; with what is not written yet.
    Awaitable<std::vector<JobRecord>> page(std::optional<uid_t> uid, std::uint64_t before,
                                           std::size_t limit);
    Awaitable<std::optional<JobRecord>> find(std::uint64_t id);
    Awaitable<std::size_t> trim(WallClock::time_point oldest, std::size_t most);

    /// Writes what is left, and waits for it; gives up what cannot be written now.
    Awaitable<> stop();

  private:
    using Changes = std::map<std::uint64_t, JobRows::Change>; ///< by job

    void note(const JobRecord& record, bool is_new);
    Awaitable<> write_all();
    Awaitable<> write_batch();
    Awaitable<> covered(std::uint64_t change);
    void take_back();
    const JobRecord* unwritten(std::uint64_t id) const noexcept;

    std::unique_ptr<JobRows> rows_;
    std::uint64_t last_id_;
    Changes pending_;
    Changes writing_;
    std::uint64_t changes_ = 0;     ///< taken down so far
    std::uint64_t settled_ = 0;     ///< of these: written, or failed to be
    std::uint64_t wants_power_ = 0; ///< the last that shall survive a power failure
    std::exception_ptr failure_;    ///< of the last write
    bool is_writing_ = false;
    bool stopping_ = false;
    async::Event settled_event_;
    async::Event hurry_; ///< ends the wait before the next try
    async::BlockingPool disk_{1};
    async::TaskGroup writer_; // last: ends before what it uses
};

} // namespace wharf::jobs
