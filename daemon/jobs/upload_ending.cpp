// The end of a push: what it has come to, and the new commit in the cache of all.
#include "base/log.hpp"
#include "daemon/jobs/upload_work.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ranges>

namespace wharf::jobs {

namespace {

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

} // namespace

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

} // namespace wharf::jobs
