#include "daemon/jobs/job.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "base/units.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace wharf::jobs {

namespace {

constexpr std::size_t most_files_shown = 8;

bool is_cancellation(const std::exception_ptr& failure) noexcept {
    try {
        std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
        return error.code() == asio::error::operation_aborted;
    } catch (...) { // any other kind is a failure
        return false;
    }
}

} // namespace

std::string_view name(JobState state) noexcept {
    switch (state) {
    case JobState::queued:
        return "queued";
    case JobState::running:
        return "running";
    case JobState::waiting:
        return "waiting";
    case JobState::paused:
        return "paused";
    case JobState::done:
        return "done";
    case JobState::failed:
        return "failed";
    case JobState::cancelled:
        return "cancelled";
    }
    return "failed";
}

std::uint64_t Speedometer::sample(std::uint64_t bytes_done, Clock::time_point now) {
    constexpr std::chrono::seconds window{3};
    samples_.emplace_back(now, bytes_done);
    // Keep one sample older than the window, so that the whole window is measured.
    while (samples_.size() > 2 && now - samples_[1].first > window) {
        samples_.erase(samples_.begin());
    }
    const auto& [then, before] = samples_.front();
    const double seconds = std::chrono::duration<double>(now - then).count();
    if (seconds < 0.05 || bytes_done < before) {
        return 0;
    }
    return static_cast<std::uint64_t>(static_cast<double>(bytes_done - before) / seconds);
}

bool DownloadOrder::same_work(const DownloadOrder& other) const noexcept {
    return uid == other.uid && repo == other.repo && commit == other.commit &&
           filter == other.filter && force == other.force && token == other.token;
}

Job::Job(JobContext context, std::uint64_t id, DownloadOrder order)
    : context_{std::move(context)}, id_{id}, order_{std::move(order)} {}

JobState Job::state() const noexcept {
    if (state_ != JobState::running) {
        return state_;
    }
    const bool held_up = !in_air_.empty() && std::ranges::all_of(in_air_, [](const auto* file) {
        return !file->ticket->reason().empty();
    });
    return note_->reason.empty() && !held_up ? JobState::running : JobState::waiting;
}

bool Job::is_over() const noexcept {
    return state_ == JobState::done || state_ == JobState::failed || state_ == JobState::cancelled;
}

std::optional<Error> Job::failure() const {
    if (!failure_) {
        return std::nullopt;
    }
    try {
        std::rethrow_exception(failure_);
    } catch (const Error& error) {
        return error;
    } catch (const std::exception& error) {
        log::error("jobs", "job {}: {}", id_, error.what());
        return Error{ErrorKind::internal, "an internal error; the daemon's log says more"};
    }
}

void Job::start() {
    if (is_over() || (state_ == JobState::running && !stopping_)) {
        return;
    }
    if (stopping_) {
        start_again_ = true; // its task is still winding up
        return;
    }
    state_ = JobState::running;
    task_ = std::make_unique<async::TaskGroup>(context_.executor);
    task_->spawn(fmt::format("job {}", id_), run());
}

void Job::pause() {
    start_again_ = false;
    if (state_ == JobState::running && !stopping_) {
        stopping_ = true;
        task_->cancel();
    }
}

void Job::cancel() {
    if (is_over()) {
        return;
    }
    const bool running = state_ == JobState::running;
    start_again_ = false;
    finish(JobState::cancelled, std::make_exception_ptr(Error{
                                    ErrorKind::cancelled, fmt::format("job {} was cancelled", id_),
                                    "what was fetched is kept; ask again to go on"}));
    if (running && !stopping_) {
        stopping_ = true;
        task_->cancel();
    }
}

Awaitable<> Job::ended() {
    while (!is_over()) {
        co_await changed_.wait();
    }
    if (failure_) {
        std::rethrow_exception(failure_);
    }
}

Awaitable<> Job::stopped() {
    if (task_) {
        co_await task_->join();
    }
}

Awaitable<> Job::run() {
    std::exception_ptr failure;
    try {
        co_await bring();
    } catch (...) { // sorted out below
        failure = std::current_exception();
    }
    const bool was_stopped = stopping_ && failure && is_cancellation(failure);
    stopping_ = false;
    if (is_over()) { // cancelled meanwhile
        co_return;
    }
    if (!was_stopped) {
        finish(failure ? JobState::failed : JobState::done, failure);
        co_return;
    }
    state_ = JobState::paused;
    log::info("jobs", "job {} paused", id_);
    changed_.notify_all();
    if (start_again_) {
        start_again_ = false;
        start();
    }
}

void Job::finish(JobState state, std::exception_ptr failure) {
    state_ = state;
    failure_ = std::move(failure);
    finished_ = std::chrono::system_clock::now();
    order_.token = hub::Token{}; // needed no more
    missing_.clear();
    const auto error = this->failure();
    log::info("jobs", "job {} {}: {} {}, {} files, {}{}{}", id_, name(state),
              hub::name(order_.repo.type), order_.repo.name, counted_.files_total,
              format_size(counted_.bytes_total), error ? ": " : "",
              error ? error->message() : std::string{});
    changed_.notify_all();
}

Awaitable<> Job::bring() {
    const hub::TreePtr tree =
        co_await context_.lookups.tree(order_.repo, order_.commit, order_.token, note_);
    store::Entries wanted = select(*tree, order_.filter).value();
    if (order_.force) {
        missing_ = wanted;
        count_held(wanted, missing_);
    } else {
        store::BroughtIn left =
            co_await context_.store.bring_in(order_.repo, order_.commit, wanted);
        missing_ = std::move(left.missing);
        auto lacking = missing_;
        lacking.insert(lacking.end(), left.unverified.begin(), left.unverified.end());
        count_held(wanted, lacking);
        co_await check_unverified(std::move(left.unverified));
    }
    std::ranges::reverse(missing_); // taken from the back, so in the order asked
    co_await fetch_missing();
}

/// Blobs that another program put there become ours when their bytes are right.
Awaitable<> Job::check_unverified(store::Entries unverified) {
    for (auto& entry : unverified) {
        note_->reason = fmt::format("checking {}, which another program put there", entry.path);
        const ScopeExit quiet{[this] { note_->reason.clear(); }};
        const bool right = co_await context_.store.verify(order_.repo, entry);
        if (right) {
            store::Entries one{entry};
            const store::BroughtIn left =
                co_await context_.store.bring_in(order_.repo, order_.commit, std::move(one));
            if (left.missing.empty() && left.unverified.empty()) {
                ++counted_.files_done;
                counted_.bytes_done += entry.size;
                continue;
            }
        }
        missing_.push_back(std::move(entry));
    }
}

void Job::count_held(const store::Entries& wanted, const store::Entries& missing) {
    const auto bytes = [](const store::Entries& entries) {
        std::uint64_t sum = 0;
        for (const auto& entry : entries) {
            sum += entry.size;
        }
        return sum;
    };
    counted_.files_total = wanted.size();
    counted_.bytes_total = bytes(wanted);
    counted_.files_done = wanted.size() - missing.size();
    counted_.bytes_done = counted_.bytes_total - bytes(missing);
}

Awaitable<> Job::fetch_missing() {
    if (missing_.empty()) {
        co_return;
    }
    trouble_ = nullptr;
    async::TaskGroup fetchers{context_.executor};
    fetchers_ = std::min(context_.files_at_once, missing_.size());
    for (std::size_t i = fetchers_; i > 0; --i) {
        fetchers.spawn(fmt::format("files of job {}", id_), fetch_some());
    }
    std::exception_ptr failure;
    try {
        while (fetchers_ > 0 && !trouble_) {
            co_await changed_.wait();
        }
    } catch (...) { // a pause; rethrown when the fetchers, who use this job, are gone
        failure = std::current_exception();
    }
    fetchers.cancel();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await fetchers.join();
    if (failure || trouble_) {
        std::rethrow_exception(failure ? failure : trouble_);
    }
}

/// Takes files and brings them until none is left or one cannot be had.
Awaitable<> Job::fetch_some() {
    const ScopeExit tell{[this] {
        --fetchers_;
        changed_.notify_all();
    }};
    try {
        while (!missing_.empty() && !trouble_) {
            hub::TreeEntry entry = std::move(missing_.back());
            missing_.pop_back();
            co_await fetch(std::move(entry));
        }
    } catch (...) { // rethrown by fetch_missing(): a file that did not come must not be forgotten
        if (!trouble_) {
            trouble_ = std::current_exception();
        }
    }
}

Awaitable<> Job::fetch(hub::TreeEntry entry) {
    hub::FileSource source{order_.repo, order_.commit, entry.path, order_.token};
    const auto ticket = context_.flights.join(std::move(source), entry, order_.force);
    InAir mark{.path = entry.path, .size = entry.size, .ticket = ticket.get()};
    in_air_.push_back(&mark);
    {
        const ScopeExit landed{[this, &mark] { std::erase(in_air_, &mark); }};
        co_await ticket->landed();
    }
    store::Entries one{entry};
    const store::BroughtIn left =
        co_await context_.store.bring_in(order_.repo, order_.commit, std::move(one));
    if (!left.missing.empty() || !left.unverified.empty()) {
        throw Error{ErrorKind::storage,
                    fmt::format("{} vanished from the cache right after it arrived", entry.path),
                    "another program cleans up the cache at this moment; try again"};
    }
    ++counted_.files_done;
    counted_.bytes_done += entry.size;
}

Progress Job::progress() {
    Progress now = counted_;
    now.reason = note_->reason;
    for (const auto* file : in_air_) {
        const auto done = std::min(file->ticket->done(), file->size);
        now.bytes_done += done;
        if (now.in_air.size() < most_files_shown) {
            now.in_air.push_back({file->path, done, file->size});
        }
    }
    if (now.reason.empty() && state() == JobState::waiting) {
        now.reason = in_air_.front()->ticket->reason();
    }
    now.bytes_per_second = is_over() ? 0 : speedometer_.sample(now.bytes_done);
    return now;
}

} // namespace wharf::jobs
