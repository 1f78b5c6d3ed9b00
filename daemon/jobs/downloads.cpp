#include "daemon/jobs/downloads.hpp"

#include "base/digest.hpp"

#include <algorithm>

namespace wharf::jobs {

namespace {

/// For more files than this, looking at each would keep the control thread from others.
constexpr std::size_t most_warm_files = 8;

} // namespace

std::optional<Plan> Downloads::warm(const DownloadRequest& request) const {
    const auto& names = request.filter.files;
    if (request.force || names.empty() || names.size() > most_warm_files ||
        !is_commit_id(request.revision)) {
        return std::nullopt;
    }
    Plan plan;
    plan.revision = {.commit = request.revision, .stale = false, .why = {}, .recorded = true};
    plan.tree = context_.store.remembered_tree(request.repo, request.revision);
    if (!plan.tree) {
        return std::nullopt;
    }
    auto wanted = select(*plan.tree, request.filter);
    if (!wanted || !std::ranges::all_of(*wanted, [&](const auto& entry) {
            return context_.store.still_in_place(request.repo, request.revision, entry);
        })) {
        return std::nullopt;
    }
    plan.wanted = std::move(*wanted);
    plan.snapshot = context_.store.snapshot_path(request.repo, request.revision);
    plan.finished = true;
    return plan;
}

Awaitable<Plan> Downloads::plan(DownloadRequest request, std::shared_ptr<transfer::WaitNote> note) {
    Plan plan;
    plan.revision =
        co_await context_.lookups.commit_of(request.repo, request.revision, request.token, note);
    plan.tree = co_await context_.lookups.tree(request.repo, plan.revision.commit, request.token,
                                               std::move(note));
    plan.wanted = select(*plan.tree, request.filter).value();
    plan.snapshot = context_.store.snapshot_path(request.repo, plan.revision.commit);
    co_return plan;
}

Awaitable<bool> Downloads::complete_from_cache(DownloadRequest request,
                                               std::shared_ptr<Plan> plan) {
    if (request.force) {
        co_return false;
    }
    const store::BroughtIn left =
        co_await context_.store.bring_in(request.repo, plan->revision.commit, plan->wanted);
    const bool complete = left.missing.empty() && left.unverified.empty();
    plan->finished = complete && left.settled && plan->revision.recorded;
    co_return complete;
}

std::unique_ptr<Watch> Downloads::start(const DownloadRequest& request, const Plan& plan) {
    return table_.ask(DownloadOrder{.uid = request.uid,
                                    .repo = request.repo,
                                    .revision = request.revision,
                                    .commit = plan.revision.commit,
                                    .filter = request.filter,
                                    .force = request.force,
                                    .token = request.token});
}

Awaitable<> Downloads::finish(DownloadRequest request, std::shared_ptr<const Plan> plan) {
    if (!plan->finished) {
        co_await context_.store.finish_snapshot(request.repo, plan->revision.commit,
                                                request.revision);
    }
}

Awaitable<std::vector<bool>> Downloads::held(DownloadRequest request,
                                             std::shared_ptr<const Plan> plan) {
    auto held = co_await context_.store.held(request.repo, plan->revision.commit, plan->wanted);
    co_return held;
}

} // namespace wharf::jobs
