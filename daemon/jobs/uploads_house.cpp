// What becomes of uploads when nobody goes on with them.
#include "base/log.hpp"
#include "daemon/hub/hub_error.hpp"
#include "daemon/jobs/uploads.hpp"

#include <fmt/format.h>

#include <set>

namespace wharf::jobs {

namespace {

using Clock = std::chrono::steady_clock;

/// An upload that nothing was heard of for this long is dropped.
constexpr std::chrono::minutes longest_silence{10};
constexpr std::chrono::minutes house_period{1};
constexpr int orphans_every = 60; ///< rounds of the house

} // namespace

void Uploads::job_over(const JobRecord& record) {
    if (!record.order.is_push()) {
        return;
    }
    audit(record);
    const auto& push = record.order.push();
    if (record.state != JobState::failed || push.attached) {
        remove_soon(push.upload);
    }
}

void Uploads::audit(const JobRecord& record) {
    const auto& order = record.order;
    const bool is_done = record.state == JobState::done;
    const bool has_failed = record.state == JobState::failed && record.failure;
    const auto result = is_done      ? std::string_view{"ok"}
                        : has_failed ? name(record.failure->kind())
                                     : name(record.state);
    context_.audit.record(
        {.action = access::AuditEvent::Action::upload,
         .uid = order.uid,
         .repo = hub::describe(order.repo),
         .detail = fmt::format("{}: {}, job {}", order.revision,
                               is_done ? order.commit : order.push().summary, record.id),
         .result = std::string{result},
         .restricted = !context_.gate.is_public(order.repo)});
}

/// Nothing is counted for it any more from now on.
void Uploads::remove_soon(std::uint64_t upload) {
    attached_.erase(upload);
    kept_.erase(upload);
    house_.spawn(fmt::format("removing upload {}", upload), remove(upload));
}

/// What is not removed now is at the next start.
Awaitable<> Uploads::remove(std::uint64_t upload) {
    try {
        co_await table_.recorded(); // a job that goes on after a crash needs it
        co_await context_.uploads.with_rows([upload](UploadRows& rows) { rows.remove(upload); });
        co_await context_.staged.discard(upload);
    } catch (const Error& error) {
        log::warning("jobs", "upload {} could not be removed: {}", upload, error.message());
    }
}

Awaitable<> Uploads::keep_house(std::vector<std::uint64_t> in_use) {
    try {
        co_await context_.staged.keep_only(std::move(in_use));
    } catch (const Error& error) {
        log::warning("jobs", "{}", error.message());
    }
    ready_ = true;
    ready_event_.notify_all();
    for (int round = 1;; ++round) {
        co_await async::sleep_for(house_period);
        for (auto place = drafts_.begin(); place != drafts_.end();) {
            const auto& [upload, draft] = *place++;
            if (!draft.busy && Clock::now() - draft.heard > longest_silence) {
                log::info("jobs", "dropped upload {}, of which nothing was heard", upload);
                const auto gone = upload;
                drafts_.erase(gone);
                remove_soon(gone);
            }
        }
        if (round % orphans_every == 0) {
            co_await drop_abandoned();
        }
    }
}

/// Uploads of failed jobs that nobody retried in time.
Awaitable<> Uploads::drop_abandoned() {
    std::vector<std::uint64_t> candidates;
    for (const auto& [upload, kept] : kept_) {
        if (!drafts_.contains(upload)) {
            candidates.push_back(upload);
        }
    }
    try {
        const std::vector<std::uint64_t> list = co_await jobs_.uploads();
        const std::set<std::uint64_t> in_use{list.begin(), list.end()};
        for (const auto upload : candidates) {
            if (!in_use.contains(upload) && kept_.contains(upload)) {
                remove_soon(upload);
            }
        }
    } catch (const Error& error) { // next time
        log::warning("jobs", "{}", error.message());
    }
}

Awaitable<> Uploads::stop() {
    house_.cancel();
    co_await house_.join();
}

} // namespace wharf::jobs
