// org.wharf.Downloads. A call first finds out what is meant (plan), is answered at once when all
// of it is held, and else watches a job. While either takes time, a caller that asked for "more"
// is told how far it is.
#include "daemon/service/download_calls.hpp"

#include "base/scope_exit.hpp"
#include "base/unique_fd.hpp"
#include "daemon/service/call_token.hpp"
#include "daemon/service/run_telling.hpp"
#include "daemon/service/wire.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fcntl.h>

namespace wharf::service {

namespace json = boost::json;

namespace {

/// Files in one part of a list: far below the message limit even with the longest paths.
constexpr std::size_t files_per_part = 500;

/// The caller's request, with his stored token where he gave none.
jobs::DownloadRequest request_of(Call& call, const access::Vault& vault) {
    auto request = read_request(call.parameters(), call.peer().uid);
    request.token = take_token(call, vault).token;
    return request;
}

/// What one call to Download or Open goes through.
class DownloadCall {
  public:
    DownloadCall(jobs::Downloads& downloads, const access::Vault& vault, Call& call)
        : downloads_{downloads}, call_{call}, request_{request_of(call, vault)} {}

    jobs::DownloadRequest& request() noexcept { return request_; }
    const jobs::Plan& plan() const noexcept { return *plan_; }

    /// Everything that is wanted is in the snapshot when this returns.
    Awaitable<> complete() {
        if (auto warm = downloads_.warm(request_)) {
            plan_ = std::make_shared<jobs::Plan>(std::move(*warm));
            co_return;
        }
        co_await run_telling(make_plan(), [this] { return tell(); });
        const bool held = co_await downloads_.complete_from_cache(request_, plan_);
        if (!held) {
            co_await wait_for_job();
        }
        co_await downloads_.finish(request_, plan_);
    }

    Awaitable<> make_plan() {
        jobs::Plan plan = co_await downloads_.plan(request_, note_);
        plan_ = std::make_shared<jobs::Plan>(std::move(plan));
    }

  private:
    Awaitable<> wait_for_job() {
        const auto watch = downloads_.start(request_, *plan_);
        watch_ = watch.get();
        const ScopeExit leave{[this] { watch_ = nullptr; }};
        if (plan_->count > 1) { // a job may take days: its lists are not held twice
            plan_->wanted = {};
            plan_->tree.reset();
        }
        if (call_.wants_more()) {
            co_await downloads_.table().recorded(); // a number, once told, is never given again
            co_await call_.reply_more(progress_reply());
        }
        co_await run_telling(watch->job().ended(), [this] { return tell(); });
        // The job has done it for its own revision; ours may be another name of the commit.
        plan_->finished = watch->job().record().order.revision == request_.revision;
    }

    Awaitable<> tell() {
        if (call_.wants_more()) {
            co_await call_.reply_more(progress_reply());
        }
    }

    json::object progress_reply() {
        if (watch_ != nullptr) {
            const jobs::JobInfo job = watch_->job().info();
            return {{"job", static_cast<std::int64_t>(job.id)}, {"progress", progress_of(job)}};
        }
        jobs::JobInfo asking; // no job yet
        asking.reason = note_->reason;
        asking.state = asking.reason.empty() ? jobs::JobState::running : jobs::JobState::waiting;
        return {{"progress", progress_of(asking)}};
    }

    jobs::Downloads& downloads_;
    Call& call_;
    jobs::DownloadRequest request_;
    std::shared_ptr<transfer::WaitNote> note_ = std::make_shared<transfer::WaitNote>();
    std::shared_ptr<jobs::Plan> plan_;
    const jobs::Watch* watch_ = nullptr;
};

json::object result_of(const jobs::DownloadRequest& request, const jobs::Plan& plan) {
    json::array files;
    for (const auto& path : request.filter.files) {
        files.push_back(json::string{(plan.snapshot / path).native()});
    }
    return {{"result", json::object{{"commit", plan.revision.commit},
                                    {"snapshot", plan.snapshot.native()},
                                    {"files", std::move(files)},
                                    {"count", static_cast<std::int64_t>(plan.count)},
                                    {"stale", plan.revision.stale},
                                    {"why", or_null(plan.revision.why)}}}};
}

Awaitable<> detach(jobs::Downloads& downloads, const access::Vault& vault, Call& call) {
    const auto request = request_of(call, vault);
    const jobs::Downloads::Detached detached = co_await downloads.detach(request);
    if (detached.held) {
        co_await call.reply(result_of(request, *detached.held));
    } else {
        co_await call.reply({{"job", static_cast<std::int64_t>(detached.job.id)}});
    }
}

Awaitable<> download(jobs::Downloads& downloads, const access::Vault& vault, Call& call) {
    if (read_flag(call.parameters(), "detach")) {
        co_await detach(downloads, vault, call);
        co_return;
    }
    DownloadCall work{downloads, vault, call};
    co_await work.complete();
    co_await call.reply(result_of(work.request(), work.plan()));
}

/// The files of a plan from `begin` on, as one part of a list.
json::object list_part(const jobs::Plan& plan, const std::vector<bool>& held, std::size_t begin) {
    const auto end = std::min(begin + files_per_part, plan.wanted.size());
    json::array files;
    for (auto i = begin; i < end; ++i) {
        const auto& entry = plan.wanted[i];
        json::value path = nullptr;
        if (held[i]) {
            path = (plan.snapshot / entry.path).native();
        }
        files.push_back(json::object{{"name", entry.path},
                                     {"size", static_cast<std::int64_t>(entry.size)},
                                     {"etag", entry.etag()},
                                     {"cached", bool{held[i]}},
                                     {"path", std::move(path)}});
    }
    return {{"commit", plan.revision.commit},
            {"snapshot", plan.snapshot.native()},
            {"stale", plan.revision.stale},
            {"files", std::move(files)}};
}

Awaitable<> list(jobs::Downloads& downloads, const access::Vault& vault, Call& call) {
    const auto request = request_of(call, vault);
    jobs::Plan found = co_await downloads.plan(request, std::make_shared<transfer::WaitNote>());
    const auto plan = std::make_shared<const jobs::Plan>(std::move(found));
    const std::vector<bool> held = co_await downloads.held(request, plan);
    std::size_t begin = 0;
    for (; begin + files_per_part < plan->wanted.size(); begin += files_per_part) {
        co_await call.reply_more(list_part(*plan, held, begin));
    }
    co_await call.reply(list_part(*plan, held, begin));
}

Awaitable<> open(jobs::Downloads& downloads, const access::Vault& vault, Call& call) {
    DownloadCall work{downloads, vault, call};
    work.request().filter.files = {std::string{call.parameters().at("file").as_string()}};
    co_await work.complete();
    const auto& plan = work.plan();
    const auto& entry = plan.wanted.front();
    const auto path = plan.snapshot / entry.path;
    UniqueFd file{adopt_fd, ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY)};
    if (!file) {
        throw system_error(fmt::format("opening {}", entry.path), errno);
    }
    std::vector<UniqueFd> descriptors;
    descriptors.push_back(std::move(file));
    co_await call.reply({{"descriptor", 0},
                         {"size", static_cast<std::int64_t>(entry.size)},
                         {"etag", entry.etag()},
                         {"commit", plan.revision.commit},
                         {"path", path.native()}},
                        std::move(descriptors));
}

} // namespace

void add_download_calls(Dispatcher& dispatcher, jobs::Downloads& downloads,
                        const access::Vault& vault) {
    using Method = Awaitable<> (*)(jobs::Downloads&, const access::Vault&, Call&);
    const auto add = [&](std::string name, Method method, bool needs_more = false) {
        dispatcher.add({.name = "org.wharf.Downloads." + std::move(name),
                        .handler = [&downloads, &vault,
                                    method](Call& call) { return method(downloads, vault, call); },
                        .needs_more = needs_more});
    };
    add("Download", download);
    add("List", list, true);
    add("Open", open);
}

} // namespace wharf::service
