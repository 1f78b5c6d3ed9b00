// What people do to jobs: looking at them, and changing them.
#include "daemon/jobs/job_table.hpp"

#include <fmt/format.h>

#include <functional>
#include <map>

namespace wharf::jobs {

namespace {

Error no_such_job(std::uint64_t id) {
    return Error{ErrorKind::job_not_found, fmt::format("there is no job {}", id),
                 "'wharf jobs ls --all' lists your jobs"};
}

Error wrong_state(const JobRecord& record) {
    const bool over = is_over(record.state);
    return Error{ErrorKind::invalid_request,
                 fmt::format("job {} is {}", record.id, name(record.state)),
                 !over ? "only a job that failed or was cancelled can be retried"
                 : record.state == JobState::done
                     ? "nothing is left to do; ask again to look for newer files"
                     : fmt::format("'wharf jobs retry {}' does it once more", record.id)};
}

/// The same job, as if it had just been asked for by somebody who does not wait.
JobRecord once_more(JobRecord record) {
    record.detached = true;
    record.held = false;
    record.state = JobState::queued;
    record.reason.clear();
    record.failure.reset();
    record.finished.reset();
    record.waiting_until.reset();
    record.troubled_since.reset();
    return record;
}

} // namespace

std::shared_ptr<Job> JobTable::find_live(std::uint64_t id, Viewer viewer) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) {
        return nullptr;
    }
    if (!viewer.may_see(found->second->record())) {
        throw no_such_job(id);
    }
    return found->second;
}

Awaitable<JobInfo> JobTable::show(std::uint64_t id, Viewer viewer) {
    if (const auto job = find_live(id, viewer)) {
        co_return job->info();
    }
    const std::optional<JobRecord> record = co_await context_.store.find(id);
    if (!record || !viewer.may_see(*record)) {
        throw no_such_job(id);
    }
    co_return describe(*record);
}

Awaitable<std::shared_ptr<Job>> JobTable::find_unfinished(std::uint64_t id, Viewer viewer) {
    auto job = find_live(id, viewer);
    if (job && !is_over(job->record().state)) {
        co_return job;
    }
    const std::optional<JobRecord> record = co_await context_.store.find(id);
    if (!record || !viewer.may_see(*record)) {
        throw no_such_job(id);
    }
    throw wrong_state(job ? job->record() : *record);
}

Awaitable<JobInfo> JobTable::cancel(std::uint64_t id, Viewer viewer) {
    if (const auto job = find_live(id, viewer); job && !is_over(job->record().state)) {
        job->cancel();
        audit(job->record(), viewer, "cancelled");
        co_await recorded();
        co_return job->info();
    }
    co_await give_up(id, viewer);
    JobInfo over = co_await show(id, viewer);
    co_return over;
}

/// A push that failed keeps its files for a retry. False: there is nothing to give up.
Awaitable<bool> JobTable::give_up(std::uint64_t id, Viewer viewer) {
    std::optional<JobRecord> record = co_await context_.store.find(id);
    if (!record || !viewer.may_see(*record) || !record->order.is_push() ||
        record->state != JobState::failed) {
        co_return false;
    }
    record->state = JobState::cancelled;
    record->sealed_token.clear();
    context_.store.update(*record);
    sweep();
    audit(*record, viewer, "cancelled");
    if (context_.over) {
        context_.over(*record);
    }
    co_await recorded();
    co_return true;
}

Awaitable<JobInfo> JobTable::pause(std::uint64_t id, Viewer viewer) {
    const auto job = co_await find_unfinished(id, viewer);
    const bool is_own = viewer.uid == job->record().order.uid;
    job->hold(fmt::format("paused by {}; 'wharf jobs resume {}' goes on",
                          is_own ? std::string{"its owner"} : fmt::format("uid {}", viewer.uid),
                          id));
    audit(job->record(), viewer, "paused");
    co_await recorded();
    co_return job->info();
}

Awaitable<JobInfo> JobTable::resume(std::uint64_t id, Viewer viewer, hub::Token token) {
    const auto job = co_await find_unfinished(id, viewer);
    if (job->record().state == JobState::paused) {
        require_place_in_queue(job->record().order.uid);
    }
    const auto& order = job->record().order;
    if (token.empty() || viewer.uid != order.uid) {
        token = order.token.empty() ? stored_token(order.uid) : order.token;
    }
    take_token(*job, std::move(token));
    job->resume();
    audit(job->record(), viewer, "resumed");
    co_await make_durable(job);
    co_return job->info();
}

Awaitable<JobInfo> JobTable::retry(std::uint64_t id, Viewer viewer, hub::Token token) {
    if (const auto job = find_live(id, viewer)) {
        if (!is_over(job->record().state)) {
            throw wrong_state(job->record());
        }
        co_await job->stopped(); // its work may still wind up
    }
    std::optional<JobRecord> record = co_await context_.store.find(id);
    if (!record || !viewer.may_see(*record)) {
        throw no_such_job(id);
    }
    if (const auto job = find_live(id, viewer); job && !is_over(job->record().state)) {
        throw wrong_state(job->record()); // somebody was faster
    }
    if (!is_over(record->state) || record->state == JobState::done) {
        throw wrong_state(*record);
    }
    if (record->order.is_push() &&
        (record->state == JobState::cancelled || record->order.push().attached)) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("job {} {}, and its files are not kept", id,
                                record->order.push().attached ? "was attached" : "was cancelled"),
                    "push them again"};
    }
    require_few_jobs(record->order);
    require_place_in_queue(record->order.uid);
    const bool was_given = !token.empty() && viewer.uid == record->order.uid;
    if (!was_given) {
        token = token_of(*record).value();
    }
    const bool was_refused = record->failure && record->failure->kind() == ErrorKind::unauthorized;
    hub::Token stored = stored_token(record->order.uid);
    if (!was_given && !stored.empty() && (token.empty() || was_refused)) {
        token = std::move(stored);
    }
    record->sealed_token.clear();
    const auto job = add(once_more(*std::move(record)));
    take_token(*job, std::move(token));
    job->start();
    audit(job->record(), viewer, "retried");
    co_await make_durable(job);
    co_return job->info();
}

Awaitable<JobInfo> JobTable::prioritize(std::uint64_t id, Viewer viewer, Priority priority) {
    const auto job = co_await find_unfinished(id, viewer);
    job->set_priority(priority);
    audit(job->record(), viewer, fmt::format("made {}", name(priority)));
    co_await recorded();
    co_return job->info();
}

Awaitable<std::vector<JobInfo>> JobTable::page(std::optional<uid_t> of, bool all,
                                               std::uint64_t before, std::size_t limit) {
    std::map<std::uint64_t, JobInfo, std::greater<>> merged;
    if (all) {
        const std::vector<JobRecord> records = co_await context_.store.page(of, before, limit);
        for (const auto& record : records) {
            merged.insert_or_assign(record.id, describe(record));
        }
    }
    // What is in memory is newer than what was written.
    std::size_t taken = 0;
    for (auto place = jobs_.lower_bound(before); place != jobs_.begin() && taken < limit;) {
        auto& job = *(--place)->second;
        const bool is_meant = !of || *of == job.record().order.uid;
        if (is_meant && (all || !is_over(job.record().state))) {
            merged.insert_or_assign(place->first, job.info());
            ++taken;
        }
    }
    std::vector<JobInfo> page;
    for (auto& [id, info] : merged) {
        if (page.size() < limit) {
            page.push_back(std::move(info));
        }
    }
    co_return page;
}

/// What people do with their own jobs is nobody's business.
void JobTable::audit(const JobRecord& record, Viewer viewer, std::string_view done) noexcept {
    if (context_.audit == nullptr || viewer.uid == record.order.uid) {
        return;
    }
    const auto& repo = record.order.repo;
    context_.audit->record(
        {.action = access::AuditEvent::Action::admin,
         .uid = viewer.uid,
         .repo = fmt::format("{} {}", hub::name(repo.type), repo.name),
         .detail = fmt::format("{} job {} of uid {}", done, record.id, record.order.uid),
         .result = "ok"});
}

} // namespace wharf::jobs
