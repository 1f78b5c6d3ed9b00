#pragma once

#include "base/error.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/jobs/patterns.hpp"
#include "daemon/scheduling/claimant.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <variant>
#include <vector>

namespace wharf::jobs {

using scheduling::Priority;
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

/// Which files a job is to bring.
struct DownloadOrder {
    /// What the cache's ref said when the work began; "": there was no ref. A ref that says
    /// something else at the end was moved by others meanwhile, and is left to them.
    std::optional<std::string> ref_before;
    Filter filter;
    bool force = false;
};

/// What a push has come to so far.
struct UploadOutcome {
    std::uint64_t commits = 0;
    std::uint64_t files = 0; ///< added, copied and deleted
    std::uint64_t bytes_sent = 0;
    std::optional<std::uint64_t> pull_request; ///< its number, once it is open
    std::vector<std::string> warnings;         ///< sentences without line ends

    bool operator==(const UploadOutcome&) const = default;
};

/// What a job is to commit; the changes themselves are in the UploadStore.
struct CommitOrder {
    std::uint64_t upload = 0; ///< number in the UploadStore
    std::string summary;
    std::string description;
    std::string parent;      ///< the commit that the branch must be at; empty: whatever it is at
    bool create_pr = false;  ///< to a new pull request against `revision`
    bool create = false;     ///< the repo and the branch, if they are missing
    bool is_private = false; ///< a repo that is made
    bool attached = false;   ///< its files are read from its caller's descriptors
    UploadOutcome outcome;

    bool operator==(const CommitOrder&) const = default;
};

/// What a job is to do, and for whom.
struct Order {
    uid_t uid = 0;
    hub::RepoId repo;
    std::string revision; ///< as asked
    /// Empty until the Hub could be asked what the revision is; of a push: until it is done, then
    /// what the branch is at.
    std::string commit;
    hub::Token token;
    std::variant<DownloadOrder, CommitOrder> what = {};

    bool is_push() const noexcept { return std::holds_alternative<CommitOrder>(what); }

    // Requires: it is one.
    DownloadOrder& download() { return std::get<DownloadOrder>(what); }
    const DownloadOrder& download() const { return std::get<DownloadOrder>(what); }
    CommitOrder& push() { return std::get<CommitOrder>(what); }
    const CommitOrder& push() const { return std::get<CommitOrder>(what); }

    /// Whether two orders mean the same files of the same commit for the same account. Of known
    /// commits, the revision may have other names. No two pushes are the same.
    bool same_work(const Order& other) const noexcept;
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
    Order order;
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
