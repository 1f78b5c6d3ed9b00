#include "daemon/jobs/job.hpp"

#include "base/log.hpp"
#include "base/units.hpp"

#include <fmt/format.h>

namespace wharf::jobs {

namespace {

/// How long a job that was asked for by somebody who does not wait may take to show that it works.
constexpr std::chrono::milliseconds longest_start{2'000};
constexpr std::chrono::milliseconds longest_queueing{200};
constexpr std::chrono::milliseconds look_again{20};

constexpr const char* not_its_turn = "other jobs are before it";

} // namespace

JobInfo describe(const JobRecord& record) {
    return {.id = record.id,
            .uid = record.order.uid,
            .repo = record.order.repo,
            .revision = record.order.revision,
            .commit = record.order.commit,
            .priority = record.priority,
            .detached = record.detached,
            .state = record.state,
            .reason = record.reason,
            .waiting_until = record.waiting_until,
            .created = record.created,
            .finished = record.finished,
            .watchers = 0,
            .counts = record.counts,
            .bytes_per_second = 0,
            .in_air = {},
            .failure = record.failure,
            .push = record.order.is_push() ? std::optional{record.order.push()} : std::nullopt};
}

Job::Job(const JobContext& context, JobRecord record)
    : context_{context}, record_{std::move(record)},
      claimant_{.uid = record_.order.uid, .priority = record_.priority}, patience_{record_.id} {}

void Job::start() {
    if (is_over(record_.state) || record_.held) {
        return;
    }
    if (!active_) {
        begin();
    } else if (stopping_) {
        start_again_ = true; // its task is still winding up
        enter(JobState::queued, not_its_turn);
    } else {
        woken_ = true;
        wake_.notify_all();
    }
}

void Job::begin() {
    active_ = true;
    enter(JobState::queued, not_its_turn);
    task_ = std::make_unique<async::TaskGroup>(context_.executor);
    task_->spawn(fmt::format("job {}", record_.id), run());
}

void Job::stop_task() {
    start_again_ = false;
    if (active_ && !stopping_) {
        stopping_ = true;
        task_->cancel();
    }
}

void Job::leave() {
    if (record_.order.is_push() && record_.order.push().attached) {
        cancel();
    } else if (!record_.detached && !record_.held && !halted_ && !is_over(record_.state)) {
        stop_task();
        enter(JobState::paused, "nobody waits for it");
    }
}

void Job::hold(std::string reason) {
    if (!is_over(record_.state)) {
        record_.held = true;
        stop_task();
        enter(JobState::paused, std::move(reason));
    }
}

void Job::resume() {
    record_.troubled_since.reset(); // the time it was away was no trouble
    if (!is_over(record_.state)) {
        record_.held = false;
        record_.detached = true;
        start();
    }
}

void Job::set_priority(Priority priority) {
    record_.priority = priority;
    claimant_.priority = priority;
    if (work_) {
        work_->priority_changed();
    }
    context_.turns.reconsider();
    tell();
}

void Job::cancel() {
    if (!is_over(record_.state)) {
        stop_task();
        finish(JobState::cancelled,
               Error{ErrorKind::cancelled, fmt::format("job {} was cancelled", record_.id),
                     record_.order.is_push() ? "push again what is still to be pushed"
                                             : "what was fetched is kept; ask again to go on"});
    }
}

void Job::halt() {
    halted_ = true;
    stop_task();
}

void Job::set_token(hub::Token token, std::string sealed) {
    record_.order.token = std::move(token);
    record_.sealed_token = std::move(sealed);
}

Awaitable<> Job::ended() {
    while (!is_over(record_.state)) {
        co_await changed_.wait();
    }
    if (record_.failure) {
        throw *record_.failure;
    }
}

Awaitable<> Job::under_way() {
    for (auto waited = look_again; waited <= longest_start; waited += look_again) {
        co_await changed_.wait_for(look_again);
        const bool begins = record_.state == JobState::running ||
                            (record_.state == JobState::queued && waited < longest_queueing);
        if (!begins || (work_ && work_->gained() > 0)) {
            co_return;
        }
    }
}

Awaitable<> Job::settled_within(std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    bool in_time = true;
    while (in_time && !is_over(record_.state) && record_.state != JobState::paused) {
        in_time = co_await changed_.wait_for(end - std::chrono::steady_clock::now());
    }
}

Awaitable<> Job::stopped() {
    if (task_) {
        co_await task_->join();
    }
}

/// The job's task. Whoever stopped it has said already what the job is now.
Awaitable<> Job::run() {
    std::exception_ptr failure;
    try {
        co_await live();
    } catch (...) { // sorted out below
        failure = std::current_exception();
    }
    active_ = false;
    const bool was_stopped = std::exchange(stopping_, false);
    if (is_over(record_.state)) {
        work_.reset();
    } else if (halted_) {
        log::debug("jobs", "job {} goes on after a restart", record_.id);
    } else if (was_stopped && start_again_) {
        start_again_ = false;
        begin();
    } else if (!was_stopped && failure) {
        log::error("jobs", "job {} ended without a reason", record_.id);
        finish(JobState::failed,
               Error{ErrorKind::internal, "an internal error; the daemon's log says more"});
        std::rethrow_exception(failure); // the log's line comes from the task's group
    }
}

Awaitable<> Job::live() {
    std::optional<Error> failed = co_await attempt();
    while (failed && is_worth_waiting(*failed)) {
        co_await wait_after(*failed);
        if (stopping_) { // what it is now was said by whoever stopped it
            co_return;
        }
        enter(JobState::queued, not_its_turn);
        failed = co_await attempt();
    }
    if (is_over(record_.state) || (failed && stopping_)) {
        co_return; // the error may well come from the stopping
    }
    if (failed && record_.detached && heals_by_itself(failed->kind())) {
        failed = failed->with_context(
            fmt::format("given up after {} days",
                        std::chrono::floor<std::chrono::days>(longest_trouble).count()));
    }
    finish(failed ? JobState::failed : JobState::done, std::move(failed));
}

/// Only the beginning waits for others: what holds a turn never waits for what needs one.
Awaitable<> Job::wait_for_order() {
    if (!context_.held_back_by) {
        co_return;
    }
    for (auto reason = context_.held_back_by(record_); !reason.empty() && !stopping_;
         reason = context_.held_back_by(record_)) {
        if (reason != record_.reason) {
            enter(JobState::queued, std::move(reason));
        }
        co_await context_.moved_on->wait();
    }
}

Awaitable<std::optional<Error>> Job::attempt() {
    co_await wait_for_order();
    const Turns::Turn turn = co_await context_.turns.take(claimant_);
    if (stopping_) { // while it woke: a cancelled wait that had ended already does not throw
        co_return Error{ErrorKind::cancelled, "the job was stopped"};
    }
    if (!work_) {
        work_ = context_.make_work(record_);
    }
    enter(JobState::running);
    try {
        co_await work_->run([this] { tell(); });
    } catch (const Error& error) {
        co_return error;
    }
    co_return std::nullopt;
}

/// Whether a detached job is to try again, and since when it has met nothing but errors.
bool Job::is_worth_waiting(const Error& error) {
    if (!record_.detached || !heals_by_itself(error.kind()) || stopping_) {
        return false;
    }
    if (work_->gained() > gained_) {
        gained_ = work_->gained();
        record_.troubled_since.reset();
        patience_.progress();
    }
    const auto now = WallClock::now();
    if (!record_.troubled_since) {
        record_.troubled_since = now;
    }
    return now - *record_.troubled_since < longest_trouble;
}

Awaitable<> Job::wait_after(Error error) {
    log::warning("jobs", "job {} waits: {}", record_.id, error.message());
    woken_ = false;
    bool worth_a_try = false;
    while (!worth_a_try) {
        const auto delay = patience_.next(error);
        record_.waiting_until = WallClock::now() + delay;
        enter(JobState::waiting, error.message());
        co_await wake_.wait_for(delay);
        worth_a_try = woken_ || error.kind() != ErrorKind::no_space || !is_worth_waiting(error);
        if (!worth_a_try) {
            worth_a_try = co_await work_->has_room();
        }
        if (stopping_) {
            co_return;
        }
    }
}

void Job::enter(JobState state, std::string reason) {
    record_.state = state;
    record_.reason = std::move(reason);
    if (state != JobState::waiting) {
        record_.waiting_until.reset();
    }
    tell();
}

void Job::finish(JobState state, std::optional<Error> failure) {
    record_.counts = progress().counts;
    record_.failure = std::move(failure);
    record_.finished = WallClock::now();
    record_.order.token = {}; // needed no more
    if (state != JobState::failed) {
        record_.sealed_token.clear(); // Retry may still need that of a failed job
    }
    enter(state);
    const auto& order = record_.order;
    log::info("jobs", "job {} {}: {} {}, {} files, {}{}{}", record_.id, name(state),
              hub::name(order.repo.type), order.repo.name, record_.counts.files_total,
              format_size(record_.counts.bytes_total), record_.failure ? ": " : "",
              record_.failure ? record_.failure->message() : std::string{});
}

void Job::tell() {
    if (!is_over(record_.state)) {
        record_.counts = progress().counts;
    }
    context_.changed(*this);
    changed_.notify_all();
}

/// Before the work has counted, and after it is over, the record knows best.
Progress Job::progress() const {
    Progress now = work_ && !is_over(record_.state) ? work_->progress() : Progress{};
    if (now.counts.files_total == 0) {
        now.counts = record_.counts;
    }
    return now;
}

JobState Job::state() const {
    const bool runs = record_.state == JobState::running && work_;
    return runs && work_->is_held_up() ? JobState::waiting : record_.state;
}

JobInfo Job::info() {
    JobInfo info = describe(record_);
    Progress now = progress();
    info.state = state();
    if (const auto count = context_.turns.exhausted_by(record_.order.uid);
        count && record_.state == JobState::queued) {
        info.reason = fmt::format("as many jobs of this account run as it may have ({})", *count);
    }
    if (record_.state == JobState::running) {
        info.reason = std::move(now.reason);
        info.bytes_per_second = speedometer_.sample(now.counts.bytes_done);
        info.in_air = std::move(now.in_air);
    }
    info.watchers = watchers;
    info.counts = now.counts;
    return info;
}

} // namespace wharf::jobs
