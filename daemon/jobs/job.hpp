#pragma once

#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/jobs/patterns.hpp"
#include "daemon/transfer/flights.hpp"
#include "daemon/transfer/lookups.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace wharf::jobs {

enum class JobState { queued, running, waiting, paused, done, failed, cancelled };

/// As on the wire: "queued", "running", …
std::string_view name(JobState state) noexcept;

/// What a job is to bring, once it is known which commit is meant.
struct DownloadOrder {
    uid_t uid = 0;
    hub::RepoId repo;
    std::string revision; ///< as asked, for people
    std::string commit;
    Filter filter;
    bool force = false;
    hub::Token token;

    /// Whether two orders mean the same work; the revision may have other names.
    bool same_work(const DownloadOrder& other) const noexcept;
};

struct FileProgress {
    std::string path;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
};

/// How far a job is.
struct Progress {
    std::string reason; ///< why it waits; empty when it does not
    std::uint64_t files_done = 0;
    std::uint64_t files_total = 0;
    std::uint64_t bytes_done = 0;
    std::uint64_t bytes_total = 0;
    std::uint64_t bytes_per_second = 0;
    std::vector<FileProgress> in_air; ///< some of the files being fetched
};

/// Bytes a second over the last few seconds, from samples of a counter.
class Speedometer {
  public:
    using Clock = std::chrono::steady_clock;

    std::uint64_t sample(std::uint64_t bytes_done, Clock::time_point now = Clock::now());

  private:
    std::vector<std::pair<Clock::time_point, std::uint64_t>> samples_;
};

/// What a job needs from the rest of the daemon.
struct JobContext {
    Executor executor; ///< the control thread's
    store::Store& store;
    transfer::Flights& flights;
    transfer::Lookups& lookups;
    std::size_t files_at_once = 32;
};

/// One download somebody asked for. All who ask for the same share it. It runs as long as somebody
/// watches; pausing it gives up its places in the flights. Control thread.
class Job {
  public:
    Job(JobContext context, std::uint64_t id, DownloadOrder order);

    /// Starts, or goes on after a pause. No effect while it runs or after it has ended.
    void start();
    void pause();

    /// Ends it for everybody.
    void cancel();

    /// Waits until it has ended; throws what made it fail. A cancelled job throws cancelled.
    Awaitable<> ended();

    /// Waits until its task has stopped, for shutting down.
    Awaitable<> stopped();
    bool is_idle() const noexcept { return !task_ || task_->size() == 0; }

    std::uint64_t id() const noexcept { return id_; }
    const DownloadOrder& order() const noexcept { return order_; }
    JobState state() const noexcept;
    bool is_over() const noexcept;
    Progress progress();
    std::optional<Error> failure() const;
    std::chrono::system_clock::time_point created() const noexcept { return created_; }
    std::optional<std::chrono::system_clock::time_point> finished() const noexcept {
        return finished_;
    }

    /// Who waits for it now; see JobTable::Watch.
    std::size_t watchers = 0;

  private:
    struct InAir {
        std::string path;
        std::uint64_t size;
        const transfer::Ticket* ticket = nullptr;
    };

    Awaitable<> run();
    Awaitable<> bring();
    Awaitable<> check_unverified(store::Entries unverified);
    Awaitable<> fetch_missing();
    Awaitable<> fetch_some();
    Awaitable<> fetch(hub::TreeEntry entry);
    void count_held(const store::Entries& wanted, const store::Entries& missing);
    void finish(JobState state, std::exception_ptr failure);

    JobContext context_;
    std::uint64_t id_;
    DownloadOrder order_;
    JobState state_ = JobState::queued;
    std::unique_ptr<async::TaskGroup> task_;
    bool stopping_ = false;
    bool start_again_ = false;
    std::exception_ptr failure_;
    async::Event changed_;
    std::shared_ptr<transfer::WaitNote> note_ = std::make_shared<transfer::WaitNote>();
    std::chrono::system_clock::time_point created_ = std::chrono::system_clock::now();
    std::optional<std::chrono::system_clock::time_point> finished_;

    store::Entries missing_; ///< still to be fetched; taken from the back
    std::vector<const InAir*> in_air_;
    std::size_t fetchers_ = 0; ///< running fetch_some()
    std::exception_ptr trouble_;
    Progress counted_;
    Speedometer speedometer_;
};

} // namespace wharf::jobs
