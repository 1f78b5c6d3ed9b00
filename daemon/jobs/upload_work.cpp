// One run: settle what an earlier one left → batch by batch: head of the branch → verdicts →
// contents → commit → at the end the new commit's files go into the shared cache. The other
// upload_*.cpp have these steps; upload_commits.cpp says how a commit is made exactly once.
#include "daemon/jobs/upload_work.hpp"

#include "base/scope_exit.hpp"

#include <algorithm>
#include <ranges>

namespace wharf::jobs {

namespace {

constexpr std::size_t most_files_shown = 8;

} // namespace

UploadWork::UploadWork(const UploadContext& context, const FindAttached& attached,
                       Turns& large_pushes, JobRecord& record)
    : context_{context}, attached_{attached}, large_pushes_{large_pushes}, record_{record},
      order_{record.order.push()} {}

Awaitable<> UploadWork::run(std::function<void()> changed) {
    changed_ = std::move(changed);
    const ScopeExit forget{[this] { // a job that waits must not hold lists
        state_ = {};
        asked_ = {};
        base_.clear();
    }};
    const auto upload = order_.upload;
    const std::optional<Turns::Turn> turn = co_await turn_of_large();
    state_ = co_await context_.uploads.with_rows(
        [upload](UploadRows& rows) { return rows.load(upload); });
    if (state_.changes.empty()) {
        throw Error{ErrorKind::storage, "what was to be pushed is not there any more",
                    "push it again"};
    }
    order_.outcome.commits = state_.commits;
    order_.outcome.pull_request = state_.pull_request;
    count();
    co_await settle_pending();
    while (has_left()) {
        co_await push_batch();
    }
    co_await finish();
}

/// Nothing if this push is not large.
Awaitable<std::optional<Turns::Turn>> UploadWork::turn_of_large() {
    const std::size_t size = co_await context_.uploads.with_rows(
        [upload = order_.upload](UploadRows& rows) { return rows.size_of(upload); });
    if (size <= large_push) {
        co_return std::nullopt;
    }
    claimant_ = {.uid = record_.order.uid, .priority = record_.priority};
    const ScopeExit begun{[this] { note_->reason.clear(); }};
    note_->reason = "another push of many files is running";
    changed_();
    Turns::Turn turn = co_await large_pushes_.take(claimant_);
    co_return std::optional<Turns::Turn>{std::move(turn)};
}

void UploadWork::priority_changed() {
    claimant_.priority = record_.priority;
    large_pushes_.reconsider();
}

Awaitable<bool> UploadWork::has_room() {
    co_return true; // a push needs none
}

bool UploadWork::has_left() const {
    return !std::ranges::all_of(state_.changes, &PushChange::done);
}

Awaitable<> UploadWork::push_batch() {
    std::string base = co_await head();
    if (!order_.parent.empty() && state_.commits == 0 && base != order_.parent) {
        throw conflict(base);
    }
    if (base != base_) { // what the Hub said of files was about another commit
        base_ = base;
        asked_.assign(state_.changes.size(), false);
        for (auto& change : state_.changes) {
            change.sent = change.sent && change.kind != PushChange::Kind::copy;
        }
    }
    co_await resolve_copies(base);
    co_await check_readme();
    Batch batch = next_batch(state_.changes, pace_.files());
    co_await ask_verdicts(batch);
    cut_batch(state_.changes, batch);
    co_await bring_contents(&batch);
    co_await commit_batch(std::move(batch), std::move(base));
}

Awaitable<> UploadWork::save(std::vector<PushChange> changes) {
    const auto upload = order_.upload;
    co_await context_.uploads.with_rows(
        [upload, &changes](UploadRows& rows) { rows.update(upload, changes); });
}

void UploadWork::count() {
    counted_ = {};
    for (const auto& change : state_.changes) {
        ++counted_.files_total;
        counted_.files_done += change.done ? 1 : 0;
        if (change.is_content() && !change.ignored) {
            counted_.bytes_total += change.size;
            counted_.bytes_done += change.done || change.sent ? change.size : 0;
        }
    }
}

Progress UploadWork::progress() const {
    Progress now{.counts = counted_, .reason = note_->reason, .in_air = {}};
    for (const auto* file : in_air_) {
        const auto done = std::min(file->sent->load(), file->change->size);
        now.counts.bytes_done += done;
        if (now.in_air.size() < most_files_shown) {
            now.in_air.push_back({file->change->path, done, file->change->size});
        }
    }
    if (now.reason.empty() && is_held_up()) {
        now.reason = in_air_.front()->note->reason;
    }
    return now;
}

std::uint64_t UploadWork::gained() const noexcept {
    std::uint64_t sum = gained_;
    for (const auto* file : in_air_) {
        sum += file->gained();
    }
    return sum;
}

std::uint64_t UploadWork::InAir::gained() const noexcept {
    const auto now = sent->load();
    return now > before ? now - before : 0;
}

bool UploadWork::is_held_up() const {
    const bool all_wait = !in_air_.empty() && std::ranges::all_of(in_air_, [](const InAir* file) {
        return !file->note->reason.empty();
    });
    return all_wait || !note_->reason.empty();
}

} // namespace wharf::jobs
