// org.wharf.Downloads. A call first finds out what is meant (plan), is answered at once when all
// of it is held, and else watches a job. While either takes time, a caller that asked for "more"
// is told how far it is.
#include "daemon/service/download_calls.hpp"

#include "base/unique_fd.hpp"
#include "daemon/hub/hub_error.hpp"
#include "daemon/service/call_token.hpp"
#include "daemon/service/job_telling.hpp"
#include "daemon/service/run_telling.hpp"
#include "daemon/service/wire.hpp"

#include <boost/json/array.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace wharf::service {

namespace json = boost::json;

namespace {

/// Files in one part of a list: far below the message limit even with the longest paths.
constexpr std::size_t files_per_part = 500;

/// Descriptors that come with one result: within what the kernel takes in one message.
constexpr std::size_t most_descriptors = 200;

/// A caller's request, with his stored token where he gave none, and within his rights.
jobs::DownloadRequest take_request(const DownloadCallContext& context, Call& call) {
    auto request = read_request(call.parameters(), call.peer().uid);
    request.token = take_token(call, context.vault).token;
    request.may_fetch = call.rights().download;
    return request;
}

/// Takes down what was handed out.
void audit(const DownloadCallContext& context, const jobs::DownloadRequest& request,
           const jobs::Plan& plan) {
    const bool restricted = !context.downloads.is_public(request.repo);
    if (!context.audit.wants(restricted)) {
        return; // a warm answer takes microseconds
    }
    const auto& names = request.filter.files;
    context.audit.record(
        {.action = access::AuditEvent::Action::download,
         .uid = request.uid,
         .repo = hub::describe(request.repo),
         .detail =
             fmt::format("{} at {}: {}", request.revision, plan.revision.commit,
                         names.size() == 1 ? names.front() : fmt::format("{} files", plan.count)),
         .result = "ok",
         .restricted = restricted});
}

/// What one call to Download or Open goes through.
class DownloadCall {
  public:
    DownloadCall(const DownloadCallContext& context, Call& call)
        : context_{context}, downloads_{context.downloads}, call_{call},
          request_{take_request(context, call)} {}

    jobs::DownloadRequest& request() noexcept { return request_; }
    const jobs::Plan& plan() const noexcept { return *plan_; }

    /// Everything that is wanted is in the snapshot when this returns.
    Awaitable<> complete() {
        if (auto warm = downloads_.warm(request_)) {
            plan_ = std::make_shared<jobs::Plan>(std::move(*warm));
            context_.quotas.attribute(request_.uid, request_.repo, plan_->wanted);
        } else {
            co_await bring();
        }
        audit(context_, request_, *plan_);
    }

    /// One of the plan's files.
    Awaitable<UniqueFd> open(std::string path) {
        return downloads_.open(request_, plan_->revision.commit, std::move(path));
    }

    bool by_descriptor_only() const { return downloads_.by_descriptor_only(request_); }

    Awaitable<> make_plan() {
        jobs::Plan plan = co_await downloads_.plan(request_, note_);
        plan_ = std::make_shared<jobs::Plan>(std::move(plan));
    }

  private:
    Awaitable<> bring() {
        co_await run_telling(make_plan(), [this] { return tell(); });
        const bool held = co_await downloads_.complete_from_cache(request_, plan_);
        if (held) {
            context_.quotas.attribute(request_.uid, request_.repo, plan_->wanted);
        } else {
            co_await wait_for_job();
        }
        co_await downloads_.finish(request_, plan_);
    }

    Awaitable<> wait_for_job() {
        const auto watch = downloads_.start(request_, *plan_);
        plan_->turn.release();
        if (plan_->count > 1) { // a job may take days: its lists are not held twice
            plan_->wanted = {};
            plan_->tree.reset();
        }
        co_await await_telling(call_, downloads_.table(), *watch);
        // The job has done it for its own revision; ours may be another name of the commit.
        plan_->finished = watch->job().record().order.revision == request_.revision;
    }

    Awaitable<> tell() {
        if (call_.wants_more()) {
            co_await call_.reply_more(asking_reply());
        }
    }

    /// While there is no job yet.
    json::object asking_reply() const {
        jobs::JobInfo asking;
        asking.reason = note_->reason;
        asking.state = asking.reason.empty() ? jobs::JobState::running : jobs::JobState::waiting;
        return {{"progress", progress_of(asking)}};
    }

    const DownloadCallContext& context_;
    jobs::Downloads& downloads_;
    Call& call_;
    jobs::DownloadRequest request_;
    std::shared_ptr<scheduling::WaitNote> note_ = std::make_shared<scheduling::WaitNote>();
    std::shared_ptr<jobs::Plan> plan_;
};

json::object result_of(const jobs::DownloadRequest& request, const jobs::Plan& plan,
                       bool by_descriptor, json::value descriptors = nullptr) {
    json::array files;
    for (const auto& path : request.filter.files) {
        files.push_back(json::string{(plan.snapshot / path).native()});
    }
    return {{"result", json::object{{"commit", plan.revision.commit},
                                    {"snapshot", plan.snapshot.native()},
                                    {"files", std::move(files)},
                                    {"count", static_cast<std::int64_t>(plan.count)},
                                    {"stale", plan.revision.stale},
                                    {"why", or_null(plan.revision.why)},
                                    {"by_descriptor", by_descriptor},
                                    {"descriptors", std::move(descriptors)}}}};
}

Awaitable<> detach(const DownloadCallContext& context, Call& call) {
    const auto request = take_request(context, call);
    const jobs::Downloads::Detached detached = co_await context.downloads.detach(request);
    if (detached.held) {
        context.quotas.attribute(request.uid, request.repo, detached.held->wanted);
        audit(context, request, *detached.held);
        co_await call.reply(
            result_of(request, *detached.held, context.downloads.by_descriptor_only(request)));
    } else {
        co_await call.reply({{"job", static_cast<std::int64_t>(detached.job.id)}});
    }
}

Awaitable<> reply_with_descriptors(DownloadCall& work, Call& call) {
    std::vector<UniqueFd> descriptors;
    json::array indexes;
    for (const auto& path : work.request().filter.files) {
        UniqueFd file = co_await work.open(path);
        indexes.push_back(static_cast<std::int64_t>(descriptors.size()));
        descriptors.push_back(std::move(file));
    }
    co_await call.reply(
        result_of(work.request(), work.plan(), work.by_descriptor_only(), std::move(indexes)),
        std::move(descriptors));
}

void check_descriptors(const jobs::DownloadRequest& request) {
    if (request.filter.files.empty() || request.filter.files.size() > most_descriptors) {
        throw Error{ErrorKind::invalid_request,
                    fmt::format("descriptors come with 1 to {} files that are named in the call",
                                most_descriptors),
                    "name them in \"files\", in several calls if there are more"};
    }
}

Awaitable<> download(const DownloadCallContext& context, Call& call) {
    const bool descriptors = read_flag(call.parameters(), "descriptors");
    if (read_flag(call.parameters(), "detach")) {
        if (descriptors) {
            throw invalid_parameter("descriptors");
        }
        co_await detach(context, call);
        co_return;
    }
    DownloadCall work{context, call};
    if (descriptors) {
        check_descriptors(work.request());
    }
    co_await work.complete();
    if (descriptors) {
        co_await reply_with_descriptors(work, call);
    } else {
        co_await call.reply(result_of(work.request(), work.plan(), work.by_descriptor_only()));
    }
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

Awaitable<> list(const DownloadCallContext& context, Call& call) {
    auto& downloads = context.downloads;
    const auto request = take_request(context, call);
    jobs::Plan found = co_await downloads.plan(request, std::make_shared<scheduling::WaitNote>());
    const auto plan = std::make_shared<const jobs::Plan>(std::move(found));
    const std::vector<bool> held = co_await downloads.held(request, plan);
    std::size_t begin = 0;
    for (; begin + files_per_part < plan->wanted.size(); begin += files_per_part) {
        co_await call.reply_more(list_part(*plan, held, begin));
    }
    co_await call.reply(list_part(*plan, held, begin));
}

Awaitable<> open(const DownloadCallContext& context, Call& call) {
    DownloadCall work{context, call};
    const std::string path{call.parameters().at("file").as_string()};
    work.request().filter.files = {path};
    co_await work.complete();
    const auto& plan = work.plan();
    const auto& entry = plan.wanted.front();
    std::vector<UniqueFd> descriptors;
    UniqueFd file = co_await work.open(path);
    descriptors.push_back(std::move(file));
    co_await call.reply({{"descriptor", 0},
                         {"size", static_cast<std::int64_t>(entry.size)},
                         {"etag", entry.etag()},
                         {"commit", plan.revision.commit},
                         {"path", (plan.snapshot / entry.path).native()},
                         {"by_descriptor", work.by_descriptor_only()}},
                        std::move(descriptors));
}

} // namespace

void add_download_calls(Dispatcher& dispatcher, DownloadCallContext context) {
    const auto add = [&](std::string name, Awaitable<> (*handle)(const DownloadCallContext&, Call&),
                         bool needs_more = false) {
        dispatcher.add({.name = "org.wharf.Downloads." + std::move(name),
                        .handler = [context, handle](Call& call) { return handle(context, call); },
                        .needs_more = needs_more});
    };
    add("Download", download);
    add("List", list, true);
    add("Open", open);
}

} // namespace wharf::service
