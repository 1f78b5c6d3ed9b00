// Making each commit of a push exactly once.
//
// A commit is sent with the head that we saw as its parent, so the Hub takes it only on top of that
// head, and at most one commit ever follows on it. Before it is sent it is taken down. When the
// answer was lost, or we were killed, the branch's history says what became of it: if the head is
// still the parent, nothing (should the Hub still be busy with it, it and the one that we send next
// exclude each other); if ours follows on the parent, it is in; if another one does, ours can never
// arrive any more.
#include "base/log.hpp"
#include "daemon/jobs/upload_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace wharf::jobs {

namespace {

/// Tries of one commit in a row, and the pauses between them; then the job waits for longer.
constexpr std::array<std::chrono::milliseconds, 4> pauses{
    std::chrono::milliseconds{500}, std::chrono::seconds{1}, std::chrono::seconds{2},
    std::chrono::seconds{4}};

/// A branch on which others always are faster is given up after so many tries in a row.
constexpr unsigned most_conflicts = 40;

/// After these nobody knows whether the Hub made the commit.
bool leaves_doubt(ErrorKind kind) noexcept {
    return kind == ErrorKind::network || kind == ErrorKind::unavailable ||
           kind == ErrorKind::protocol || kind == ErrorKind::rate_limited;
}

Awaitable<> ask_commit(hub::UploadClient& hub, hub::CommitTarget target,
                       std::shared_ptr<net::RequestBody> body, std::string* commit) {
    const hub::CommitAnswer answer = co_await hub.commit(std::move(target), std::move(body));
    *commit = answer.commit;
}

Awaitable<> ask_pull_request(hub::UploadClient& hub, hub::CommitTarget target, std::string title,
                             std::string description, std::uint64_t* number) {
    *number = co_await hub.open_pull_request(std::move(target.repo), std::move(title),
                                             std::move(description), std::move(target.token));
}

} // namespace

Error UploadWork::conflict(const std::string& head) const {
    const auto& order = record_.order;
    return Error{ErrorKind::conflict,
                 fmt::format("{} of {} is at {}, and the push was to go on top of {}",
                             order.revision, order.repo.name, head, order_.parent),
                 "look at what was committed meanwhile, then push again on top of it"};
}

Awaitable<std::vector<hub::CommitLine>> UploadWork::lines_of(Batch batch, std::string base) {
    std::vector<hub::CommitLine> lines;
    const auto reader = std::make_shared<Reader>(*this);
    bool deletes = false;
    for (const auto place : batch) {
        const auto& change = state_.changes[place];
        deletes = deletes || change.is_deletion();
        if (change.is_deletion() || change.ignored || change.is_no_op()) {
            continue;
        }
        hub::CommitLine line;
        line.path = change.path;
        line.size = change.size;
        if (change.mode == hub::UploadMode::lfs) {
            line.kind = hub::CommitLine::Kind::lfs_file;
            line.oid = change.oid;
        } else {
            line.content = Reader::add(reader, change);
        }
        lines.push_back(std::move(line));
    }
    if (deletes) {
        const auto& order = record_.order;
        const hub::TreePtr tree =
            co_await context_.lookups.tree(order.repo, base, order.token, note_);
        Deletions gone = co_await context_.pool.run( // many patterns and paths take their time
            [&] { return resolve_deletions(state_.changes, *tree).value(); });
        const auto add = [&lines](hub::CommitLine::Kind kind, std::vector<std::string>& paths) {
            for (auto& path : paths) {
                hub::CommitLine line;
                line.kind = kind;
                line.path = std::move(path);
                lines.push_back(std::move(line));
            }
        };
        add(hub::CommitLine::Kind::deleted_folder, gone.folders);
        add(hub::CommitLine::Kind::deleted_file, gone.files);
    }
    co_return lines;
}

Awaitable<> UploadWork::commit_batch(Batch batch, std::string base) {
    std::vector<hub::CommitLine> lines = co_await lines_of(batch, base);
    if (lines.empty()) {
        co_await nothing_to_commit(std::move(batch));
        co_return;
    }
    if (to_pull_request() && !state_.pull_request) {
        co_await open_pull_request(std::move(base));
        co_return; // whose head is looked at before anything is committed to it
    }
    const auto files = batch.size();
    co_await take_down_commit(std::move(batch), std::move(base));
    const auto start = std::chrono::steady_clock::now();
    std::optional<Error> failed;
    std::string commit;
    try {
        commit = co_await send_commit(*state_.pending, std::move(lines));
    } catch (const Error& error) {
        failed = error;
    }
    if (failed) {
        co_await recover(*failed);
    } else {
        co_await commit_is_in(std::move(commit));
        pace_.went_in(files, std::chrono::steady_clock::now() - start);
    }
}

std::vector<PushChange> UploadWork::copies_of(const Batch& batch) const {
    std::vector<PushChange> changes;
    changes.reserve(batch.size());
    for (const auto place : batch) {
        changes.push_back(state_.changes[place]);
    }
    return changes;
}

Awaitable<> UploadWork::nothing_to_commit(Batch batch) {
    const auto upload = order_.upload;
    const std::vector<PushChange> changes = copies_of(batch);
    co_await context_.uploads.with_rows(
        [&](UploadRows& rows) { rows.no_commit_needed(upload, changes); });
    for (const auto place : batch) {
        state_.changes[place].done = true;
    }
    count();
}

/// Afterwards it is pending, whatever happens.
Awaitable<> UploadWork::take_down_commit(Batch batch, std::string base) {
    const auto upload = order_.upload;
    const auto number = state_.commits + 1;
    const SentCommit pending{
        .number = number, .parent = std::move(base), .title = part_title(order_.summary, number)};
    const std::vector<PushChange> changes = copies_of(batch);
    co_await context_.uploads.with_rows(
        [&](UploadRows& rows) { rows.set_pending(upload, pending, changes); });
    state_.pending = pending;
    for (auto& change : state_.changes) {
        change.commit = change.commit == number && !change.done ? 0 : change.commit;
    }
    for (const auto place : batch) {
        state_.changes[place].commit = number;
    }
}

Awaitable<std::string> UploadWork::send_commit(SentCommit commit,
                                               std::vector<hub::CommitLine> lines) {
    const auto body = hub::make_commit_body(
        {.summary = commit.title, .description = order_.description, .parent = commit.parent},
        std::move(lines));
    std::string id;
    co_await ask([&, this](hub::UploadClient& hub) { return ask_commit(hub, target(), body, &id); },
                 1);
    co_return id;
}

/// After a commit that failed: returns when it is known what became of it and the next step may be
/// taken.
Awaitable<> UploadWork::recover(Error error) {
    if (error.kind() == ErrorKind::conflict) { // somebody was faster, or ours is in after all
        const auto before = state_.commits;
        co_await settle_pending();
        if (state_.commits == before && !order_.parent.empty() && before == 0) {
            const std::string now = co_await head();
            throw conflict(now);
        }
        if (state_.commits == before) { // the branch is a busy one
            if (++failures_ > most_conflicts) {
                failures_ = 0;
                throw error;
            }
            co_await async::sleep_for(pauses[std::min<std::size_t>(failures_ / 4, 3)] / 4);
        }
        co_return;
    }
    if (!leaves_doubt(error.kind())) { // the Hub said no
        co_await forget_commit();
        throw error;
    }
    pace_.failed();
    if (failures_ >= pauses.size()) {
        failures_ = 0;
        throw error;
    }
    log::warning("jobs", "job {}: {}; looking whether the commit arrived", record_.id,
                 error.message());
    co_await async::sleep_for(pauses[failures_++]);
    co_await settle_pending();
}

/// After a refusal: a retry asks again whether the Hub still has the objects, which it drops when
/// no commit names them for long.
Awaitable<> UploadWork::forget_commit() {
    std::vector<PushChange> unsure;
    for (auto& change : state_.changes) {
        if (change.commit == state_.pending->number && !change.done && change.sent) {
            change.sent = false;
            unsure.push_back(change);
        }
    }
    const auto upload = order_.upload;
    co_await context_.uploads.with_rows([&](UploadRows& rows) {
        rows.update(upload, unsure);
        rows.clear_pending(upload);
    });
    state_.pending.reset();
}

Awaitable<> UploadWork::commit_is_in(std::string commit) {
    const auto upload = order_.upload;
    const auto number = state_.pending->number;
    co_await context_.uploads.with_rows(
        [&](UploadRows& rows) { rows.commit_done(upload, number); });
    state_.pending.reset();
    state_.commits = number;
    for (auto& change : state_.changes) {
        change.done = change.done || change.commit == number;
    }
    order_.outcome.commits = number;
    last_commit_ = std::move(commit);
    failures_ = 0;
    ++gained_;
    count();
    changed_();
}

Awaitable<> UploadWork::open_pull_request(std::string base) {
    std::optional<std::uint64_t> number;
    if (state_.pending && state_.pending->number == 0) {
        number = co_await lost_pull_request({state_.pending->parent, base});
    }
    const auto upload = order_.upload;
    if (!number) {
        const SentCommit pending{.number = 0, .parent = base, .title = order_.summary};
        co_await context_.uploads.with_rows(
            [&](UploadRows& rows) { rows.set_pending(upload, pending, {}); });
        state_.pending = pending;
        std::uint64_t opened = 0;
        co_await ask(
            [&, this](hub::UploadClient& hub) {
                return ask_pull_request(hub, target(), order_.summary, order_.description, &opened);
            },
            1);
        number = opened;
    }
    co_await context_.uploads.with_rows(
        [&](UploadRows& rows) { rows.set_pull_request(upload, *number); });
    state_.pending.reset();
    state_.pull_request = number;
    order_.outcome.pull_request = number;
    changed_();
}

} // namespace wharf::jobs
