// One run: settle what an earlier one left → batch by batch: head of the branch → verdicts →
// contents → commit → at the end the new commit's files go into the shared cache. See
// upload_content.cpp for the files and upload_commits.cpp for making a commit exactly once.
#include "daemon/jobs/upload_work.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "base/units.hpp"
#include "daemon/hub/hub_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ranges>

namespace wharf::jobs {

namespace {

constexpr std::size_t most_files_shown = 8;

/// The official clients' limit for what they look at; a README is not long.
constexpr std::size_t most_readme_bytes = 10 << 20;

Awaitable<> ask_head(hub::HubClient& hub, hub::CommitTarget target, std::string* head) {
    *head = co_await hub.commit_of(std::move(target.repo), std::move(target.revision),
                                   std::move(target.token));
}

Awaitable<> validate_readme(hub::UploadClient& hub, hub::CommitTarget target, std::string text,
                            std::vector<std::string>* warnings) {
    *warnings = co_await hub.validate_readme(target.repo.type, std::move(text), target.token);
}

Awaitable<> create_repo(hub::UploadClient& hub, hub::CommitTarget target, bool is_private) {
    co_await hub.create_repo(target.repo, is_private, target.token);
}

/// What a rule of the repo kept out of the push, so that nobody looks for it there.
std::optional<std::string> name_ignored(const std::vector<PushChange>& changes) {
    const auto first = std::ranges::find_if(changes, &PushChange::ignored);
    if (first == changes.end()) {
        return std::nullopt;
    }
    const auto number = std::ranges::count_if(changes, &PushChange::ignored);
    const std::string others = number > 1 ? fmt::format(" and {} more", number - 1) : "";
    return fmt::format("left out by .gitignore: '{}'{}", first->path, others);
}

Awaitable<> create_branch(hub::UploadClient& hub, hub::CommitTarget target) {
    co_await hub.create_branch(std::move(target));
}

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

hub::CommitTarget UploadWork::target() const {
    const auto& order = record_.order;
    const auto& number = state_.pull_request;
    return {.repo = order.repo,
            .revision = number ? fmt::format("refs/pr/{}", *number) : order.revision,
            .token = order.token};
}

transfer::Way UploadWork::way() const {
    transfer::Way way;
    way.token = record_.order.token;
    way.note = note_;
    return way;
}

/// Puts a question of the writing half of the protocol, again as long as that may help.
Awaitable<> UploadWork::ask(std::function<Awaitable<>(hub::UploadClient&)> question,
                            unsigned most_failures) {
    transfer::Way asked = way();
    asked.write = std::move(question);
    asked.policy.max_failures = most_failures;
    co_await context_.lookups.asking().ask(std::move(asked));
}

/// What the branch is at, by the Hub's word of this moment. Makes what is missing if it was asked
/// to.
Awaitable<std::string> UploadWork::head() {
    for (;;) {
        std::string commit;
        std::optional<Error> failed;
        try {
            transfer::Way asked = way();
            asked.fetch = [this, &commit](hub::HubClient& hub) {
                return ask_head(hub, target(), &commit);
            };
            co_await context_.lookups.asking().ask(std::move(asked));
        } catch (const Error& error) {
            failed = error;
        }
        if (!failed) {
            co_return commit;
        }
        co_await create_missing(*failed);
    }
}

Awaitable<> UploadWork::create_missing(Error error) {
    const bool lacks_repo = error.kind() == ErrorKind::repo_not_found && !repo_made_;
    // "refs/pr/7" without such a pull request is no name for a new branch.
    const bool lacks_branch = error.kind() == ErrorKind::revision_not_found && !branch_made_ &&
                              !to_pull_request() && !record_.order.revision.starts_with("refs/");
    if (!order_.create || (!lacks_repo && !lacks_branch)) {
        throw error;
    }
    if (lacks_repo) {
        repo_made_ = true;
        co_await ask([this](hub::UploadClient& hub) {
            return create_repo(hub, target(), order_.is_private);
        });
        log::info("jobs", "job {} made the repo {}", record_.id, record_.order.repo.name);
    } else {
        branch_made_ = true;
        co_await ask([this](hub::UploadClient& hub) { return create_branch(hub, target()); });
    }
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

/// The Hub refuses commits with broken metadata, and says more about them when it is asked before.
Awaitable<> UploadWork::check_readme() {
    const auto readme = std::ranges::find_if(state_.changes, [](const PushChange& change) {
        return change.is_content() && !change.done && change.path == "README.md";
    });
    if (readme_checked_ || readme == state_.changes.end() || readme->size > most_readme_bytes) {
        co_return;
    }
    std::string text = co_await read_start(&*readme, readme->size);
    std::vector<std::string> warnings;
    co_await ask([this, &text, &warnings](hub::UploadClient& hub) {
        return validate_readme(hub, target(), text, &warnings);
    });
    readme_checked_ = true;
    for (auto& warning : warnings) {
        auto& known = order_.outcome.warnings;
        if (std::ranges::find(known, warning) == known.end()) {
            known.push_back(std::move(warning));
        }
    }
}

/// Copies within the branch are a line of the commit for large files. All others are brought into
/// the cache, if they are not there, and added like files.
Awaitable<> UploadWork::resolve_copies(std::string base) {
    for (auto& change : state_.changes) {
        if (change.kind != PushChange::Kind::copy || change.done || change.sent) {
            continue;
        }
        const bool is_within =
            (!change.from_repo || *change.from_repo == record_.order.repo) &&
            (!change.from_revision || *change.from_revision == record_.order.revision);
        if (is_within) {
            co_await copy_within(&change, base);
        }
        if (!change.sent) {
            co_await copy_content(&change);
        }
    }
}

Awaitable<> UploadWork::copy_within(PushChange* change, std::string base) {
    const hub::TreePtr tree =
        co_await context_.lookups.tree(record_.order.repo, base, record_.order.token, note_);
    const auto* source = tree->find(change->from_path);
    if (source == nullptr) {
        throw Error{ErrorKind::file_not_found,
                    fmt::format("'{}' is to be copied and is not there", change->from_path),
                    "name a file as the Hub lists it; folders are copied file by file"};
    }
    if (source->lfs_sha256.empty()) {
        co_return;
    }
    const auto* target = tree->find(change->path);
    change->mode = hub::UploadMode::lfs;
    change->oid = source->lfs_sha256;
    change->size = source->size;
    change->remote = target == nullptr ? std::string{} : target->etag();
    change->sent = true;
}

Awaitable<> UploadWork::copy_content(PushChange* change) {
    JobRecord wish;
    wish.id = record_.id;
    wish.priority = record_.priority;
    wish.order.uid = record_.order.uid;
    wish.order.repo = change->from_repo.value_or(record_.order.repo);
    wish.order.revision = change->from_revision.value_or(
        change->from_repo ? std::string{"main"} : record_.order.revision);
    wish.order.token = record_.order.token;
    wish.order.what =
        DownloadOrder{.ref_before = {},
                      .filter = {.files = {change->from_path}, .include = {}, .exclude = {}},
                      .force = false};
    const std::unique_ptr<Work> fetch = context_.fetch(wish);
    co_await fetch->run([] {});
    UniqueFd file =
        co_await context_.store.open_file(wish.order.repo, wish.order.commit, change->from_path);
    store::StagedFile taken =
        co_await context_.staged.take({.upload = order_.upload,
                                       .uid = record_.order.uid,
                                       .source = async::ForeignFd{std::move(file)},
                                       .path = change->path,
                                       .size = {}});
    co_await context_.staged.flush(order_.upload); // before anything says that it is there
    change->kind = PushChange::Kind::add;
    change->staged = std::move(taken.name);
    change->size = taken.size;
    change->hashes = std::move(taken.hashes);
    change->oid.clear(); // of when the source was another
    std::vector<PushChange> changed{*change};
    co_await save(std::move(changed));
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

Awaitable<> UploadWork::finish() {
    std::string commit = last_commit_;
    if (commit.empty()) {
        commit = co_await head();
    }
    auto& outcome = order_.outcome;
    outcome.files = static_cast<std::uint64_t>(
        std::ranges::count_if(state_.changes, [](const PushChange& change) {
            return change.commit != 0 && !change.is_deletion() && !change.ignored &&
                   !change.is_no_op();
        }));
    if (auto ignored = name_ignored(state_.changes)) {
        outcome.warnings.push_back(std::move(*ignored));
    }
    record_.order.commit = commit;
    changed_();
    if (!order_.attached && outcome.commits > 0) {
        co_await share_with_cache(commit);
    }
}

/// The push is done whether or not this goes well.
Awaitable<> UploadWork::share_with_cache(std::string commit) {
    try {
        co_await share(std::move(commit));
    } catch (const Error& error) {
        log::warning("jobs", "job {}: what was pushed is not in the cache: {}", record_.id,
                     error.message());
    }
}

/// Who may read the repo's folder is the gate's to say, and it does when the repo is asked for.
Awaitable<> UploadWork::share(std::string commit) {
    const auto& order = record_.order;
    co_await context_.gate.require(order.uid, order.token, order.repo);
    const hub::TreePtr tree =
        co_await context_.lookups.tree(order.repo, commit, order.token, note_);
    store::Entries pushed;
    std::map<std::string, Batch::value_type> blobs; // etag → one of the changes that have it
    for (std::size_t place = 0; place < state_.changes.size(); ++place) {
        const auto& change = state_.changes[place];
        const auto* entry = tree->find(change.path);
        if (change.is_content() && !change.staged.empty() && entry != nullptr &&
            entry->etag() == change.oid) {
            blobs.emplace(change.oid, place);
            pushed.push_back(*entry);
        }
    }
    std::vector<store::PushedFile> files;
    for (const auto place : std::views::values(blobs)) {
        const auto& change = state_.changes[place];
        files.push_back({.name = change.staged, .entry = *tree->find(change.path)});
    }
    co_await context_.staged.publish(order_.upload, order.repo, std::move(files));
    const std::vector<hub::TreeEntry> shared = pushed;
    co_await context_.store.bring_in(order.repo, commit, std::move(pushed));
    co_await context_.store.finish_snapshot(order.repo, commit, target().revision);
    context_.quotas.attribute(order.uid, order.repo, shared);
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
