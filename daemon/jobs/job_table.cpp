#include "daemon/jobs/job_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <unistd.h>

namespace wharf::jobs {

namespace {

/// How many jobs are remembered; the oldest that are over or paused go first.
constexpr std::size_t most_jobs = 1000;

/// Root and the account that runs the daemon see and end everybody's jobs.
bool may_see(uid_t uid, const Job& job) noexcept {
    return uid == job.order().uid || uid == 0 || uid == ::geteuid();
}

} // namespace

Watch::Watch(std::shared_ptr<Job> job) : job_{std::move(job)} {
    ++job_->watchers;
}

Watch::~Watch() {
    if (--job_->watchers == 0) {
        job_->pause();
    }
}

std::unique_ptr<Watch> JobTable::ask(DownloadOrder order) {
    const auto same = std::ranges::find_if(
        jobs_, [&](const auto& job) { return !job->is_over() && job->order().same_work(order); });
    std::shared_ptr<Job> job;
    if (same != jobs_.end()) {
        job = *same;
    } else {
        job = std::make_shared<Job>(context_, ++last_id_, std::move(order));
        jobs_.push_back(job);
        trim();
    }
    auto watch = std::make_unique<Watch>(job);
    job->start();
    return watch;
}

std::shared_ptr<Job> JobTable::find(std::uint64_t id, uid_t uid) const {
    const auto job =
        std::ranges::find_if(jobs_, [id](const auto& each) { return each->id() == id; });
    if (job == jobs_.end() || !may_see(uid, **job)) {
        throw Error{ErrorKind::job_not_found, fmt::format("there is no job {}", id),
                    "'wharf jobs ls --all' lists your jobs"};
    }
    return *job;
}

std::vector<std::shared_ptr<Job>> JobTable::list(uid_t uid, bool all) const {
    std::vector<std::shared_ptr<Job>> visible;
    for (const auto& job : jobs_ | std::views::reverse) {
        if (may_see(uid, *job) && (all || !job->is_over())) {
            visible.push_back(job);
        }
    }
    return visible;
}

std::size_t JobTable::count(JobState state) const noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(jobs_, [state](const auto& job) { return job->state() == state; }));
}

Awaitable<> JobTable::stop() {
    for (const auto& job : jobs_) {
        job->pause();
    }
    for (std::size_t i = 0; i < jobs_.size(); ++i) {
        const auto job = jobs_[i];
        co_await job->stopped();
    }
}

void JobTable::trim() {
    while (jobs_.size() > most_jobs) {
        const auto oldest = std::ranges::find_if(jobs_, [](const auto& job) {
            return (job->is_over() || job->state() == JobState::paused) && job->watchers == 0 &&
                   job->is_idle();
        });
        if (oldest == jobs_.end()) {
            return;
        }
        jobs_.erase(oldest);
    }
}

} // namespace wharf::jobs
