// org.wharf.Jobs: what was asked of the daemon, running and past.
#include "daemon/service/job_calls.hpp"

#include "daemon/service/wire.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <chrono>
#include <limits>
#include <optional>
#include <sys/types.h>

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
        throw Error{ErrorKind::forbidden, "only administrators may list the jobs of all users",
                    "the administrator of this machine says who that is: [access] admin_groups"};
    }
    return std::nullopt;
}

void require_right_to_fetch(const Call& call) {
    if (!call.rights().download) {
        throw Error{ErrorKind::forbidden, "this account may not have files fetched",
                    "the administrator of this machine says who may: [access] download_groups"};
    }
}

json::object list_part(const std::vector<jobs::JobInfo>& page) {
    json::array list;
    for (const auto& job : page) {
        list.push_back(to_json(job));
    }
    return {{"jobs", std::move(list)}};
}

json::object with_files(const jobs::JobInfo& job) {
    return {{"job", to_json(job)}, {"files", to_json(job.in_air)}};
}

Awaitable<> list(jobs::JobTable& jobs, Call& call) {
    const bool all = read_flag(call.parameters(), "all");
    const std::optional<uid_t> of = asked_for(call);
    const std::size_t size = call.wants_more() ? jobs_per_part : jobs_in_one;
    auto before = std::numeric_limits<std::uint64_t>::max();
    for (;;) {
        const std::vector<jobs::JobInfo> page = co_await jobs.page(of, all, before, size);
        co_await call.turn();
        if (page.size() < size || !call.wants_more()) {
            co_await call.reply(list_part(page));
            co_return;
        }
        before = page.back().id;
        co_await call.reply_more(list_part(page));
    }
}

Awaitable<> show(jobs::JobTable& jobs, Call& call) {
    const jobs::JobInfo job = co_await jobs.show(id_of(call), viewer_of(call));
    co_await call.reply(with_files(job));
}

Awaitable<> watch(jobs::JobTable& jobs, Call& call) {
    const auto job = jobs.find_live(id_of(call), viewer_of(call));
    while (job && !is_over(job->record().state) && job->state() != jobs::JobState::paused) {
        co_await call.reply_more(with_files(job->info()));
        co_await job->settled_within(watch_period);
    }
    if (job) {
        co_await call.reply(with_files(job->info()));
    } else {
        co_await show(jobs, call);
    }
}

/// Taken out of the call; empty when there is none. Of others a job needs, it knows itself.
hub::Token given_token(Call& call) {
    auto given = call.take_secret("token");
    return given ? hub::Token{*std::move(given)} : hub::Token{};
}

/// A method that changes a job and answers with it.
using Change = Awaitable<jobs::JobInfo> (*)(jobs::JobTable& jobs, Call& call);

Awaitable<> change(jobs::JobTable& jobs, Call& call, Change change) {
    const jobs::JobInfo job = co_await change(jobs, call);
    co_await call.reply({{"job", to_json(job)}});
}

Awaitable<jobs::JobInfo> cancel(jobs::JobTable& jobs, Call& call) {
    return jobs.cancel(id_of(call), viewer_of(call));
}

Awaitable<jobs::JobInfo> pause(jobs::JobTable& jobs, Call& call) {
    return jobs.pause(id_of(call), viewer_of(call));
}

Awaitable<jobs::JobInfo> resume(jobs::JobTable& jobs, Call& call) {
    require_right_to_fetch(call);
    return jobs.resume(id_of(call), viewer_of(call), given_token(call));
}

Awaitable<jobs::JobInfo> retry(jobs::JobTable& jobs, Call& call) {
    require_right_to_fetch(call);
    return jobs.retry(id_of(call), viewer_of(call), given_token(call));
}

Awaitable<jobs::JobInfo> prioritize(jobs::JobTable& jobs, Call& call) {
    const std::string_view priority = call.parameters().at("priority").as_string();
    return jobs.prioritize(id_of(call), viewer_of(call), jobs::priority_from(priority).value());
}

} // namespace

void add_job_calls(Dispatcher& dispatcher, jobs::JobTable& jobs) {
    dispatcher.add({.name = "org.wharf.Jobs.List",
                    .handler = [&jobs](Call& call) { return list(jobs, call); },
                    .is_quick = true});
    dispatcher.add({.name = "org.wharf.Jobs.Show",
                    .handler = [&jobs](Call& call) { return show(jobs, call); },
                    .is_quick = true});
    dispatcher.add({.name = "org.wharf.Jobs.Watch",
                    .handler = [&jobs](Call& call) { return watch(jobs, call); }});
    const auto add_change = [&](std::string name, Change change) {
        dispatcher.add(
            {.name = "org.wharf.Jobs." + std::move(name),
             .handler = [&jobs, change](Call& call) { return service::change(jobs, call, change); },
             .is_quick = true});
    };
    add_change("Cancel", cancel);
    add_change("Pause", pause);
    add_change("Resume", resume);
    add_change("Retry", retry);
    add_change("Prioritize", prioritize);
}

} // namespace wharf::service
