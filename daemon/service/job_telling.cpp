#include "daemon/service/job_telling.hpp"

#include "daemon/service/run_telling.hpp"
#include "daemon/service/wire.hpp"

namespace wharf::service {

namespace {

Awaitable<> tell(Call& call, jobs::Job& job) {
    if (call.wants_more()) {
        const jobs::JobInfo info = job.info();
        co_await call.reply_more(
            {{"job", static_cast<std::int64_t>(info.id)}, {"progress", progress_of(info)}});
    }
}

} // namespace

Awaitable<> await_telling(Call& call, jobs::JobTable& table, const jobs::Watch& watch) {
    jobs::Job& job = watch.job();
    if (call.wants_more()) {
        co_await table.recorded(); // a number, once told, is never given again
        co_await tell(call, job);
    }
    co_await run_telling(job.ended(), [&call, &job] { return tell(call, job); });
}

} // namespace wharf::service
