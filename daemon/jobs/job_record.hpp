#pragma once

#include "base/error.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/jobs/patterns.hpp"
#include "daemon/transfer/claimant.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace wharf::jobs {

using transfer::Priority;
using WallClock = std::chrono::system_clock;

enum class JobState { queued, running, waiting, paused, done, failed, cancelled };

/// As on the wire and in the database: "queued", "running", …
std::string_view name(JobState state) noexcept;
std::optional<JobState> job_state_from(std::string_view name) noexcept;

/// "interactive", "normal" or "background".
std::string_view name(Priority priority) noexcept;
std::optional<Priority> priority_from(std::string_view name) noexcept;

/// Done, failed or cancelled: only Retry starts such a job again.
bool is_over(JobState state) noexcept;

/// What a job is to bring.
struct DownloadOrder {
    uid_t uid = 0;
    hub::RepoId repo;
    std::string revision; ///< as asked
    std::string commit;   ///< empty until the Hub could be asked what the revision is
    /// What the cache's ref said when the work began; "": there was no ref. A ref that says
    /// something else at the end was moved by others meanwhile, and is left to them.
    std::optional<std::string> ref_before;
    Filter filter;
    bool force = false;
    hub::Token token;

    /// Whether two orders mean the same files of the same commit for the same account. Of known
    /// commits, the revision may have other names.
    bool same_work(const DownloadOrder& other) const noexcept;
};

/// How far a job was when its state changed last.
struct Counts {
    std::uint64_t files_done = 0;
    std::uint64_t files_total = 0;
    std::uint64_t bytes_done = 0;
    std::uint64_t bytes_total = 0;

    bool operator==(const Counts&) const = default;
};

/// All that is known about a job while nobody works at it: what the database keeps, except for
/// `order.token`, of which it keeps the sealed form only.
struct JobRecord {
    std::uint64_t id = 0;
    DownloadOrder order;
    Priority priority = Priority::normal;
    bool detached = false; ///< runs without anybody waiting for it, and goes on after a restart
    bool held = false;     ///< somebody said Pause: only Resume ends that
    JobState state = JobState::queued;
    std::string reason;                                 ///< why it waits or is paused
    std::optional<WallClock::time_point> waiting_until; ///< when it will try again
    WallClock::time_point created = WallClock::now();
    std::optional<WallClock::time_point> troubled_since; ///< no byte came since then, for an error
    std::optional<WallClock::time_point> finished;
    Counts counts;
    std::optional<Error> failure;
    std::string sealed_token; ///< see access::Sealer; only of jobs that need it after a restart
};

} // namespace wharf::jobs
