#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/jobs/job_record.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace wharf::jobs {

struct FileProgress {
    std::string path;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
};

/// How far a job is now.
struct Progress {
    Counts counts;
    std::string reason;               ///< why it waits; empty when it does not
    std::vector<FileProgress> in_air; ///< some of the files being fetched
};

/// What a job does, seen from its life cycle. It belongs to the job and reads its record, which
/// outlives it; the priority may change while it runs. Control thread.
class Work {
  public:
    virtual ~Work() = default;

    /// Does what is left to do; may be called again after it threw or was cancelled, and then goes
    /// on where it was. Calls `changed` when it has found out something for the record (the
    /// commit).
    virtual Awaitable<> run(std::function<void()> changed) = 0;

    /// Whether the disk has room for what is left; asked after run() threw no_space.
    virtual Awaitable<bool> has_room() = 0;

    /// Cheap enough for a few times a second: independent of the number of files.
    virtual Progress progress() const = 0;

    /// Bytes that came since this was made, also of files that are not complete.
    virtual std::uint64_t gained() const noexcept = 0;

    /// Whether all that is going on waits for something; progress() says for what.
    virtual bool is_held_up() const = 0;

    /// The record's priority has changed.
    virtual void priority_changed() = 0;
};

using MakeWork = std::function<std::unique_ptr<Work>(JobRecord& record)>;

} // namespace wharf::jobs
