#include "daemon/jobs/job_store.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <utility>

namespace wharf::jobs {

namespace {

/// How long after a failed write the next one is tried.
constexpr std::chrono::seconds try_again{5};

} // namespace

JobStore::JobStore(Executor executor, const std::filesystem::path& file)
    : rows_{open_job_rows(file)}, last_id_{rows_->last_id()}, writer_{std::move(executor)} {}

void JobStore::note(const JobRecord& record, bool is_new) {
    auto& change = pending_[record.id];
    change.is_new = change.is_new || is_new;
    change.record = record;
    change.record.order.token = {}; // only its sealed form is written
    ++changes_;
    if (!is_writing_ && !stopping_) {
        is_writing_ = true;
        writer_.spawn("writing jobs", write_all());
    }
}

Awaitable<> JobStore::write_all() {
    while (!pending_.empty()) {
        co_await write_batch();
        if (failure_ && !stopping_) {
            co_await hurry_.wait_for(try_again);
        } else if (failure_) {
            break;
        }
    }
    is_writing_ = false;
    settled_event_.notify_all();
}

Awaitable<> JobStore::write_batch() {
    const auto last = changes_;
    const auto durability = wants_power_ > settled_ ? Durability::power : Durability::process;
    writing_ = std::exchange(pending_, {});
    std::vector<JobRows::Change> batch;
    batch.reserve(writing_.size());
    for (const auto& [id, change] : writing_) {
        batch.push_back(change);
    }
    std::exception_ptr failure;
    try {
        co_await disk_.run([&] { rows_->save(batch, durability); });
    } catch (const Error& error) {
        failure = std::current_exception();
        if (!failure_) { // once, not at every further try
            log::error("jobs", "the queue cannot be written: {}", error.message());
        }
    }
    if (failure) {
        take_back();
    } else if (failure_) {
        log::info("jobs", "the queue can be written again");
    }
    writing_.clear();
    failure_ = failure;
    settled_ = last;
    settled_event_.notify_all();
}

/// What could not be written waits for the next try, unless the job has changed meanwhile.
void JobStore::take_back() {
    for (auto& [id, change] : writing_) {
        const auto [place, was_free] = pending_.try_emplace(id, change);
        place->second.is_new = place->second.is_new || change.is_new;
    }
}

Awaitable<> JobStore::covered(std::uint64_t change) {
    while (settled_ < change && is_writing_) {
        co_await settled_event_.wait();
    }
}

Awaitable<> JobStore::written() {
    co_await covered(changes_);
}

Awaitable<> JobStore::make_durable(JobRecord record) {
    update(record);
    const auto change = changes_;
    wants_power_ = change;
    hurry_.notify_all();
    co_await covered(change);
    if (failure_) {
        std::rethrow_exception(failure_);
    }
}

const JobRecord* JobStore::unwritten(std::uint64_t id) const noexcept {
    for (const auto* changes : {&pending_, &writing_}) { // the newer first
        if (const auto found = changes->find(id); found != changes->end()) {
            return &found->second.record;
        }
    }
    return nullptr;
}

Awaitable<std::vector<JobRecord>> JobStore::page(std::optional<uid_t> uid, std::uint64_t before,
                                                 std::size_t limit) {
    std::vector<JobRecord> records =
        co_await disk_.run([&] { return rows_->page(uid, before, limit); });
    std::map<std::uint64_t, JobRecord, std::greater<>> merged;
    for (auto& record : records) {
        merged.insert_or_assign(record.id, std::move(record));
    }
    for (const auto* changes : {&writing_, &pending_}) {
        for (const auto& [id, change] : *changes) {
            if (id < before && (!uid || change.record.order.uid == *uid)) {
                merged.insert_or_assign(id, change.record);
            }
        }
    }
    records.clear();
    for (auto& [id, record] : merged) {
        if (records.size() < limit) {
            records.push_back(std::move(record));
        }
    }
    co_return records;
}

Awaitable<std::optional<JobRecord>> JobStore::find(std::uint64_t id) {
    std::optional<JobRecord> record = co_await disk_.run([&] { return rows_->find(id); });
    if (const auto* newer = unwritten(id)) {
        record = *newer;
    }
    co_return record;
}

Awaitable<std::size_t> JobStore::trim(WallClock::time_point oldest, std::size_t most) {
    const std::size_t count = co_await disk_.run([&] { return rows_->trim(oldest, most); });
    co_return count;
}

Awaitable<std::vector<std::uint64_t>> JobStore::uploads() {
    co_await written();
    auto found = co_await disk_.run([this] { return rows_->uploads(); });
    co_return found;
}

Awaitable<> JobStore::stop() {
    stopping_ = true;
    hurry_.notify_all();
    co_await writer_.join();
}

} // namespace wharf::jobs
