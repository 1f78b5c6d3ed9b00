#include "daemon/jobs/downloads.hpp"

#include "base/digest.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/hub/hub_error.hpp"

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <exception>

namespace wharf::jobs {

namespace {

/// A plan lists its files; so that one account's cannot fill the memory, it has few of those that
/// have many at one time.
constexpr std::size_t large_tree = 5'000;
constexpr std::ptrdiff_t large_plans_at_once = 4;

/// For more files than this, looking at each would keep the control thread from others.
constexpr std::size_t most_warm_files = 8;

/// How long somebody who will not wait for the download waits to hear whether it makes sense.
constexpr std::chrono::seconds longest_planning{5};

Order order_for(const DownloadRequest& request, std::string commit) {
    return {.uid = request.uid,
            .repo = request.repo,
            .revision = request.revision,
            .commit = std::move(commit),
            .token = request.token,
            .what =
                DownloadOrder{.ref_before = {}, .filter = request.filter, .force = request.force}};
}

void require_right_to_fetch(const DownloadRequest& request) {
    if (!request.may_fetch) {
        throw Error{ErrorKind::forbidden,
                    fmt::format("not all of this is in the cache, and your account may not have "
                                "the daemon download files of {}",
                                request.repo.name),
                    "ask the administrator: [access] download_users and download_groups"};
    }
}

} // namespace

std::unique_ptr<Work> Downloads::work_for(JobRecord& record) const {
    return std::make_unique<DownloadWork>(context_, record);
}

std::optional<Plan> Downloads::warm(const DownloadRequest& request) const {
    const auto& names = request.filter.files;
    if (request.force || names.empty() || names.size() > most_warm_files ||
        !is_commit_id(request.revision) || !context_.gate.admits(request.uid, request.repo)) {
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
    plan.count = plan.wanted.size();
    plan.snapshot = context_.store.snapshot_path(request.repo, request.revision);
    plan.finished = true;
    return plan;
}

Awaitable<Plan> Downloads::plan(DownloadRequest request,
                                std::shared_ptr<scheduling::WaitNote> note) {
    co_await context_.gate.require(request.uid, request.token, request.repo);
    Plan plan;
    co_await look_up(request, std::move(note), &plan);
    if (plan.tree->files.size() > large_tree) {
        auto& turns = large_plans_.try_emplace(request.uid, large_plans_at_once).first->second;
        plan.turn = co_await turns.acquire();
    }
    plan.wanted = co_await select_files(context_.pool, plan.tree, request.filter);
    plan.count = plan.wanted.size();
    plan.snapshot = context_.store.snapshot_path(request.repo, plan.revision.commit);
    co_return plan;
}

Awaitable<> Downloads::look_up(DownloadRequest request, std::shared_ptr<scheduling::WaitNote> note,
                               Plan* plan) {
    try {
        plan->revision = co_await context_.lookups.commit_of(request.repo, request.revision,
                                                             request.token, note);
        plan->tree = co_await context_.lookups.tree(request.repo, plan->revision.commit,
                                                    request.token, std::move(note));
    } catch (const Error& error) {
        if (hub::is_refusal(error)) {
            context_.gate.doubt(request.uid, request.repo);
        }
        throw;
    }
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
    require_right_to_fetch(request);
    return table_.ask(order_for(request, plan.revision.commit), request.priority);
}

/// The outcome of a plan() that is not waited for without end.
struct Downloads::Planning {
    std::shared_ptr<Plan> plan;
    std::exception_ptr failure;
    async::Event ended;
};

Awaitable<> Downloads::make_plan(DownloadRequest request, std::shared_ptr<Planning> planning) {
    try {
        Plan plan =
            co_await this->plan(std::move(request), std::make_shared<scheduling::WaitNote>());
        planning->plan = std::make_shared<Plan>(std::move(plan));
    } catch (const Error&) { // handed to whoever waits for the outcome
        planning->failure = std::current_exception();
    }
    planning->ended.notify_all();
}

/// Null when the Hub cannot say in time what is meant.
Awaitable<std::shared_ptr<Plan>> Downloads::plan_soon(DownloadRequest request) {
    const auto planning = std::make_shared<Planning>();
    async::TaskGroup asking{context_.executor};
    asking.spawn("plan of a detached job", make_plan(std::move(request), planning));
    std::exception_ptr failure;
    try {
        co_await planning->ended.wait_for(longest_planning);
    } catch (...) { // rethrown when the asking is over
        failure = std::current_exception();
    }
    asking.cancel();
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await asking.join();
    co_await asio::this_coro::reset_cancellation_state();
    if (failure) {
        std::rethrow_exception(failure);
    }
    try {
        if (planning->failure) {
            std::rethrow_exception(planning->failure);
        }
    } catch (const Error& error) {
        if (!heals_by_itself(error.kind())) {
            throw;
        }
    }
    co_return planning->plan;
}

Awaitable<Downloads::Detached> Downloads::detach(DownloadRequest request) {
    const std::shared_ptr<Plan> plan = co_await plan_soon(request);
    if (plan) {
        const bool is_held = co_await complete_from_cache(request, plan);
        if (is_held) {
            co_await finish(request, plan);
            co_return Detached{.job = {}, .held = plan};
        }
    }
    require_right_to_fetch(request);
    // The last known commit is not what is wanted: the job asks again when the Hub can be asked.
    const bool known = plan && !plan->revision.stale;
    Order order = order_for(request, known ? plan->revision.commit : std::string{});
    JobInfo job = co_await table_.detach(std::move(order), request.priority);
    co_return Detached{.job = std::move(job), .held = nullptr};
}

Awaitable<> Downloads::finish(DownloadRequest request, std::shared_ptr<const Plan> plan) {
    if (!plan->finished) {
        co_await context_.store.finish_snapshot(request.repo, plan->revision.commit,
                                                request.revision);
    }
}

bool Downloads::by_descriptor_only(const DownloadRequest& request) const {
    return !context_.store.path_is_open_to(request.repo, request.uid);
}

Awaitable<UniqueFd> Downloads::open(DownloadRequest request, std::string commit, std::string path) {
    co_await context_.gate.require(request.uid, request.token, request.repo);
    UniqueFd file = co_await context_.store.open_file(request.repo, commit, path);
    co_return file;
}

Awaitable<std::vector<bool>> Downloads::held(DownloadRequest request,
                                             std::shared_ptr<const Plan> plan) {
    auto held = co_await context_.store.held(request.repo, plan->revision.commit, plan->wanted);
    co_return held;
}

} // namespace wharf::jobs
