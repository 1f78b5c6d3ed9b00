// org.wharf.Jobs: what was asked of the daemon, running and past.
#include "daemon/service/job_calls.hpp"

#include "daemon/service/wire.hpp"

#include <boost/json/array.hpp>

namespace wharf::service {

namespace json = boost::json;

namespace {

std::shared_ptr<jobs::Job> find(const jobs::JobTable& jobs, const Call& call) {
    const auto id = call.parameters().at("id").as_int64();
    return jobs.find(static_cast<std::uint64_t>(id), call.peer().uid);
}

Awaitable<> list(const jobs::JobTable& jobs, Call& call) {
    const auto* all = call.parameters().if_contains("all");
    json::array list;
    for (const auto& job :
         jobs.list(call.peer().uid, all != nullptr && all->is_bool() && all->as_bool())) {
        list.push_back(to_json(*job));
    }
    co_await call.reply({{"jobs", std::move(list)}});
}

Awaitable<> show(const jobs::JobTable& jobs, Call& call) {
    const auto job = find(jobs, call);
    co_await call.reply({{"job", to_json(*job)}, {"files", to_json(job->progress().in_air)}});
}

Awaitable<> cancel(const jobs::JobTable& jobs, Call& call) {
    const auto job = find(jobs, call);
    job->cancel();
    co_await call.reply({{"job", to_json(*job)}});
}

} // namespace

void add_job_calls(Dispatcher& dispatcher, jobs::JobTable& jobs) {
    dispatcher.add({.name = "org.wharf.Jobs.List",
                    .handler = [&jobs](Call& call) { return list(jobs, call); }});
    dispatcher.add({.name = "org.wharf.Jobs.Show",
                    .handler = [&jobs](Call& call) { return show(jobs, call); }});
    dispatcher.add({.name = "org.wharf.Jobs.Cancel",
                    .handler = [&jobs](Call& call) { return cancel(jobs, call); }});
}

} // namespace wharf::service
