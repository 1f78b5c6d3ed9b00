#include "daemon/jobs/job_table.hpp"

#include "base/log.hpp"
#include "daemon/hub/hub_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

namespace wharf::jobs {

namespace {

/// So that nobody's script can fill memory and disk with jobs.
constexpr std::size_t most_jobs_of_account = 10'000;
/// Of the names, patterns and messages of all of them: a job may have more than a MiB.
constexpr std::size_t most_text_of_account = std::size_t{16} << 20;

constexpr std::chrono::hours trim_period{1};

/// Errors that say what the asker should have asked, or that he may not have it.
bool is_refusal(const Error& error) noexcept {
    return hub::is_refusal(error) || error.kind() == ErrorKind::revision_not_found ||
           error.kind() == ErrorKind::file_not_found || error.kind() == ErrorKind::conflict ||
           error.kind() == ErrorKind::quota;
}

/// Bytes that an order keeps in memory beyond what every job does.
std::size_t text_in(const Order& order) {
    if (order.is_push()) {
        return order.push().summary.size() + order.push().description.size();
    }
    const Filter& filter = order.download().filter;
    std::size_t bytes = 0;
    for (const auto* texts : {&filter.files, &filter.include, &filter.exclude}) {
        for (const auto& text : *texts) {
            bytes += sizeof text + text.size();
        }
    }
    return bytes;
}

/// What a sealed token belongs to: it opens for this job of this account only.
std::string seal_purpose(const JobRecord& record) {
    return fmt::format("{} {}", record.id, record.order.uid);
}

} // namespace

Watch::Watch(std::shared_ptr<Job> job) : job_{std::move(job)} {
    ++job_->watchers;
}

Watch::~Watch() {
    if (--job_->watchers == 0) {
        job_->leave();
    }
}

JobTable::JobTable(TableContext context)
    : context_{std::move(context)},
      turns_{context_.options.max_running,
             [this](uid_t uid) { return limits_of(uid).running_jobs; }},
      job_context_{.executor = context_.executor,
                   .turns = turns_,
                   .make_work = context_.make_work,
                   .changed = [this](const Job& job) { note_change(job); },
                   .held_back_by = [this](const JobRecord& record) { return earlier_push(record); },
                   .moved_on = &moved_on_},
      house_{context_.executor} {}

JobTable::~JobTable() = default;

void JobTable::start() {
    for (auto& record : context_.store.unfinished()) {
        take_up(std::move(record));
    }
    if (!jobs_.empty()) {
        log::info("jobs", "took up {} jobs", jobs_.size());
    }
    house_.spawn("history of jobs", keep_history_short());
}

void JobTable::note_change(const Job& job) {
    const auto& record = job.record();
    context_.store.update(record);
    const bool over = is_over(record.state);
    if (over || record.state == JobState::paused) {
        moved_on_.notify_all();
    }
    if (over && context_.over) {
        context_.over(record);
    }
}

/// Pushes of one account to one branch go in the order of their numbers; one that somebody paused
/// does not hold up those behind it.
std::string JobTable::earlier_push(const JobRecord& record) const {
    const auto& order = record.order;
    if (!order.is_push() || order.push().create_pr) {
        return {};
    }
    for (const auto& [id, job] : jobs_) { // by number
        if (id >= record.id) {
            break;
        }
        const auto& other = job->record();
        if (other.order.is_push() && !other.order.push().create_pr && !is_over(other.state) &&
            other.state != JobState::paused && other.order.uid == order.uid &&
            other.order.repo == order.repo && other.order.revision == order.revision) {
            return fmt::format("job {} pushes to the same branch and is before it", id);
        }
    }
    return {};
}

/// Those that were waited for have lost who waited; those that were not go on.
void JobTable::take_up(JobRecord record) {
    const bool goes_on = record.detached && !record.held;
    if (!goes_on && !record.held) {
        record.state = JobState::paused;
        record.reason = "the daemon was restarted meanwhile, and nobody waits for it";
    }
    auto token = token_of(record);
    if (token) {
        record.order.token = *std::move(token);
    }
    const auto job = add(std::move(record));
    if (job->record().order.is_push() && job->record().order.push().attached) {
        job->cancel(); // its files went with who waited for it
    } else if (!token) {
        job->fail(token.error());
    } else if (goes_on) {
        job->start();
    }
}

Result<hub::Token> JobTable::token_of(const JobRecord& record) const {
    if (record.sealed_token.empty()) {
        return hub::Token{};
    }
    auto opened = context_.sealer.open(record.sealed_token, seal_purpose(record));
    if (!opened) {
        return Error{opened.error().kind(), opened.error().message(),
                     "the key of this machine has changed: ask for the files again"};
    }
    return hub::Token{*std::move(opened)};
}

hub::Token JobTable::stored_token(uid_t uid) const {
    return context_.stored_token ? context_.stored_token(uid) : hub::Token{};
}

std::unique_ptr<Watch> JobTable::ask(Order order, Priority priority) {
    auto watch = std::make_unique<Watch>(join_or_add(std::move(order), priority));
    watch->job().start();
    return watch;
}

Awaitable<JobInfo> JobTable::detach(Order order, Priority priority) {
    const auto job = join_or_add(std::move(order), priority);
    const bool was_detached = job->record().detached;
    job->set_detached(true);
    job->start();
    std::exception_ptr failure;
    try {
        co_await make_durable(job);
    } catch (const Error&) { // told below, when the job is as if it had not been asked for
        failure = std::current_exception();
    }
    if (failure) {
        job->set_detached(was_detached);
        if (!was_detached && job->watchers == 0) {
            job->cancel();
        }
        std::rethrow_exception(failure);
    }
    co_await job->under_way();
    const auto& record = job->record();
    if (record.state == JobState::failed && is_refusal(*record.failure)) {
        throw *record.failure;
    }
    co_return job->info();
}

Awaitable<std::unique_ptr<Watch>> JobTable::push(Order order, Priority priority) {
    sweep();
    const auto job = add_new(std::move(order), priority);
    auto watch = std::make_unique<Watch>(job);
    if (!job->record().order.push().attached) {
        job->set_detached(true);
        std::exception_ptr failure;
        try {
            co_await make_durable(job);
        } catch (...) { // thrown below, when the job is as if it had not been asked for
            failure = std::current_exception();
        }
        if (failure) {
            job->cancel();
            std::rethrow_exception(failure);
        }
    }
    job->start();
    co_return watch;
}

std::shared_ptr<Job> JobTable::join_or_add(Order order, Priority priority) {
    sweep();
    for (const auto& [id, job] : jobs_) {
        const auto& record = job->record();
        if (is_over(record.state) || !record.order.same_work(order)) {
            continue;
        }
        // Nobody's work is done with a token that he did not ask with; but a job at which nobody
        // works may go on with the one that its account has now.
        if (record.order.token != order.token && !job->is_idle()) {
            continue;
        }
        if (record.state == JobState::paused && !record.held) {
            require_place_in_queue(order.uid);
        }
        take_token(*job, std::move(order.token));
        if (priority < record.priority) {
            job->set_priority(priority);
        }
        return job;
    }
    return add_new(std::move(order), priority);
}

std::shared_ptr<Job> JobTable::add_new(Order order, Priority priority) {
    require_few_jobs(order);
    require_place_in_queue(order.uid);
    JobRecord record;
    record.id = context_.store.next_id();
    record.order = std::move(order);
    record.priority = priority;
    context_.store.add(record);
    return add(std::move(record));
}

std::shared_ptr<Job> JobTable::add(JobRecord record) {
    const auto id = record.id;
    auto job = std::make_shared<Job>(job_context_, std::move(record));
    jobs_.insert_or_assign(id, job);
    return job;
}

void JobTable::require_few_jobs(const Order& more) const {
    std::size_t count = 0;
    std::size_t text = text_in(more);
    for (const auto& [id, job] : jobs_) {
        const Order& order = job->record().order;
        if (order.uid == more.uid) {
            ++count;
            text += text_in(order);
        }
    }
    if (count >= most_jobs_of_account || text > most_text_of_account) {
        throw Error{
            ErrorKind::invalid_request,
            fmt::format("this account has {} jobs that are not over{}", count,
                        count < most_jobs_of_account ? ", with very long lists of files" : ""),
            "wait until some are done, or cancel some"};
    }
}

access::QuotaLimits JobTable::limits_of(uid_t uid) const {
    return context_.limits_of ? context_.limits_of(uid) : access::QuotaLimits{};
}

/// Jobs that may run but have not begun yet take no place in the queue.
void JobTable::require_place_in_queue(uid_t uid) const {
    const auto limits = limits_of(uid);
    const auto counts = counts_of(uid);
    const auto may_run = limits.running_jobs.value_or(counts.running);
    if (limits.queued_jobs && counts.running + counts.queued >= may_run + *limits.queued_jobs) {
        throw Error{
            ErrorKind::quota,
            fmt::format("this account has {} running and {} waiting jobs, and may have {} waiting",
                        counts.running, counts.queued, *limits.queued_jobs),
            "wait until some are done, or pause or cancel some: 'wharf jobs ls'"};
    }
}

JobCounts JobTable::counts_of(uid_t uid) const {
    JobCounts counts;
    for (const auto& [id, job] : jobs_) {
        const auto& record = job->record();
        if (record.order.uid == uid) {
            counts.running += record.state == JobState::running ? 1 : 0;
            counts.queued +=
                record.state == JobState::queued || record.state == JobState::waiting ? 1 : 0;
        }
    }
    return counts;
}

std::set<uid_t> JobTable::accounts() const {
    std::set<uid_t> accounts;
    for (const auto& [id, job] : jobs_) {
        if (!is_over(job->record().state)) {
            accounts.insert(job->record().order.uid);
        }
    }
    return accounts;
}

/// Those that are over, whoever still waits for their end: he keeps his own.
void JobTable::sweep() {
    std::erase_if(jobs_, [](const auto& entry) {
        return is_over(entry.second->record().state) && entry.second->is_idle();
    });
}

void JobTable::take_token(Job& job, hub::Token token) {
    const bool same = token == job.record().order.token;
    const bool needs_sealing = job.record().detached && !token.empty();
    if (same && (!needs_sealing || !job.record().sealed_token.empty())) {
        return;
    }
    std::string sealed;
    if (needs_sealing) {
        sealed = context_.sealer.seal(token.reveal(), seal_purpose(job.record()));
    }
    job.set_token(std::move(token), std::move(sealed));
}

Awaitable<> JobTable::make_durable(std::shared_ptr<Job> job) {
    take_token(*job, job->record().order.token);
    co_await context_.store.make_durable(job->record());
}

std::size_t JobTable::count(JobState state) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        jobs_, [state](const auto& entry) { return entry.second->state() == state; }));
}

void JobTable::set_options(JobOptions options) {
    context_.options = options;
    turns_.set_limit(options.max_running);
}

Awaitable<> JobTable::keep_history_short() {
    for (;;) {
        try {
            sweep();
            drop_abandoned();
            const auto oldest = WallClock::now() - context_.options.history_age;
            const std::size_t count =
                co_await context_.store.trim(oldest, context_.options.history_count);
            if (count > 0) {
                log::info("jobs", "forgot {} old jobs", count);
            }
        } catch (const Error& error) { // next time
            log::warning("jobs", "{}", error.message());
        }
        co_await async::sleep_for(trim_period);
    }
}

/// Jobs that were interrupted and that nobody came back for are over some day, too.
void JobTable::drop_abandoned() {
    const auto oldest = WallClock::now() - context_.options.history_age;
    for (const auto& [id, job] : jobs_) {
        const auto& record = job->record();
        if (record.state == JobState::paused && !record.held && job->watchers == 0 &&
            record.created < oldest) {
            job->cancel();
        }
    }
}

Awaitable<> JobTable::stop() {
    house_.cancel();
    co_await house_.join();
    for (const auto& [id, job] : jobs_) {
        job->halt();
    }
    const auto jobs = jobs_; // nobody adds any, but this is cheap
    for (const auto& [id, job] : jobs) {
        co_await job->stopped();
    }
    co_await context_.store.stop();
}

} // namespace wharf::jobs
