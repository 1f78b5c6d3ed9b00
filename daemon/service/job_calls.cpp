// org.wharf.Jobs: what was asked of the daemon, running and past.
#include "daemon/service/job_calls.hpp"

#include "daemon/hub/hub_error.hpp"
#include "daemon/service/wire.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <optional>
#include <sys/types.h>
#include <utility>

namespace wharf::service {

namespace json = boost::json;

namespace {

/// Jobs in one part of a list, and in one that comes in a single part: even with the longest
/// sentences about failures far below the message limit.
constexpr std::size_t jobs_per_part = 200;
constexpr std::size_t jobs_in_one = 500;

/// How often those who watch a job are told, at most.
constexpr std::chrono::milliseconds watch_period{350};

std::uint64_t id_of(const Call& call) {
    return static_cast<std::uint64_t>(call.parameters().at("id").as_int64());
}

jobs::Viewer viewer_of(const Call& call) {
    return {.uid = call.peer().uid, .administers = call.rights().administer};
}

/// Whose jobs a list is of; none: everybody's.
std::optional<uid_t> asked_for(const Call& call) {
    if (!read_flag(call.parameters(), "all_users")) {
        return call.peer().uid;
    }
    if (!call.rights().administer) {
        throw access::PolicyRefusal{
            "only administrators may list the jobs of all users",
            "the administrator of this machine says who that is: [access] admin_groups"};
    }
    return std::nullopt;
}

/// To go on with a job needs the right to begin one like it.
Awaitable<> require_right_to_go_on(const JobCallContext& context, Call& call) {
    const jobs::JobInfo job = co_await context.jobs.show(id_of(call), viewer_of(call));
    if (job.push && !call.rights().upload) {
        throw may_not_push(hub::describe(job.repo));
    }
    if (!job.push && !call.rights().download) {
        throw access::PolicyRefusal{
            "this account may not have files fetched",
            "the administrator of this machine says who may: [access] download_groups",
            hub::describe(job.repo)};
    }
}

json::object list_part(const JobCallContext& context, const std::vector<jobs::JobInfo>& page) {
    json::array list;
    for (const auto& job : page) {
        list.push_back(to_json(job, context.endpoint));
    }
    return {{"jobs", std::move(list)}};
}

json::object with_files(const JobCallContext& context, const jobs::JobInfo& job) {
    return {{"job", to_json(job, context.endpoint)}, {"files", to_json(job.in_air)}};
}

Awaitable<> list(const JobCallContext& context, Call& call) {
    const bool all = read_flag(call.parameters(), "all");
    const std::optional<uid_t> of = asked_for(call);
    const std::size_t size = call.wants_more() ? jobs_per_part : jobs_in_one;
    auto before = std::numeric_limits<std::uint64_t>::max();
    for (;;) {
        const std::vector<jobs::JobInfo> page = co_await context.jobs.page(of, all, before, size);
        co_await call.turn();
        if (page.size() < size || !call.wants_more()) {
            co_await call.reply(list_part(context, page));
            co_return;
        }
        before = page.back().id;
        co_await call.reply_more(list_part(context, page));
    }
}

Awaitable<> show(const JobCallContext& context, Call& call) {
    const jobs::JobInfo job = co_await context.jobs.show(id_of(call), viewer_of(call));
    co_await call.reply(with_files(context, job));
}

Awaitable<> watch(const JobCallContext& context, Call& call) {
    const auto job = context.jobs.find_live(id_of(call), viewer_of(call));
    while (job && !is_over(job->record().state) && job->state() != jobs::JobState::paused) {
        co_await call.reply_more(with_files(context, job->info()));
        co_await job->settled_within(watch_period);
    }
    if (job) {
        co_await call.reply(with_files(context, job->info()));
    } else {
        co_await show(context, call);
    }
}

/// Taken out of the call; empty when there is none. Of others a job needs, it knows itself.
hub::Token given_token(Call& call) {
    auto given = call.take_secret("token");
    return given ? hub::Token{*std::move(given)} : hub::Token{};
}

/// A method that changes a job and answers with it.
using Change = Awaitable<jobs::JobInfo> (*)(const JobCallContext& context, Call& call);

Awaitable<> change(const JobCallContext& context, Call& call, Change change) {
    const jobs::JobInfo job = co_await change(context, call);
    co_await call.reply({{"job", to_json(job, context.endpoint)}});
}

Awaitable<jobs::JobInfo> cancel(const JobCallContext& context, Call& call) {
    return context.jobs.cancel(id_of(call), viewer_of(call));
}

Awaitable<jobs::JobInfo> pause(const JobCallContext& context, Call& call) {
    return context.jobs.pause(id_of(call), viewer_of(call));
}

Awaitable<jobs::JobInfo> resume(const JobCallContext& context, Call& call) {
    hub::Token token = given_token(call);
    co_await require_right_to_go_on(context, call);
    const jobs::JobInfo job =
        co_await context.jobs.resume(id_of(call), viewer_of(call), std::move(token));
    co_return job;
}

Awaitable<jobs::JobInfo> retry(const JobCallContext& context, Call& call) {
    hub::Token token = given_token(call);
    co_await require_right_to_go_on(context, call);
    const jobs::JobInfo job =
        co_await context.jobs.retry(id_of(call), viewer_of(call), std::move(token));
    co_return job;
}

Awaitable<jobs::JobInfo> prioritize(const JobCallContext& context, Call& call) {
    const std::string_view priority = call.parameters().at("priority").as_string();
    return context.jobs.prioritize(id_of(call), viewer_of(call),
                                   jobs::priority_from(priority).value());
}

} // namespace

void add_job_calls(Dispatcher& dispatcher, JobCallContext given) {
    const auto context = std::make_shared<const JobCallContext>(std::move(given));
    dispatcher.add({.name = "org.wharf.Jobs.List",
                    .handler = [context](Call& call) { return list(*context, call); },
                    .is_quick = true});
    dispatcher.add({.name = "org.wharf.Jobs.Show",
                    .handler = [context](Call& call) { return show(*context, call); },
                    .is_quick = true});
    dispatcher.add({.name = "org.wharf.Jobs.Watch",
                    .handler = [context](Call& call) { return watch(*context, call); }});
    const auto add_change = [&](std::string name, Change change) {
        dispatcher.add(
            {.name = "org.wharf.Jobs." + std::move(name),
             .handler = [context,
                         change](Call& call) { return service::change(*context, call, change); },
             .is_quick = true});
    };
    add_change("Cancel", cancel);
    add_change("Pause", pause);
    add_change("Resume", resume);
    add_change("Retry", retry);
    add_change("Prioritize", prioritize);
}

} // namespace wharf::service
