// org.wharf: the daemon's own state.
#include "daemon/service/daemon_calls.hpp"

#include "base/units.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <unistd.h>
#include <utility>

namespace wharf::service {

namespace json = boost::json;

namespace {

std::int64_t number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

} // namespace

void DaemonCalls::add_to(Dispatcher& dispatcher) {
    dispatcher.add({.name = "org.wharf.Status",
                    .handler = [this](Call& call) { return status(call); },
                    .is_quick = true});
}

void DaemonCalls::measure() {
    received_.now = received_.meter.sample(sources_.bytes_received());
    sent_.now = sent_.meter.sample(sources_.bytes_sent());
    std::map<std::string, Speed> still;
    for (const auto& flight : sources_.flights.status()) {
        Speed speed = std::move(transfers_[flight.etag]);
        speed.now = speed.meter.sample(flight.done);
        still.emplace(flight.etag, std::move(speed));
    }
    transfers_ = std::move(still);
}

std::string DaemonCalls::summary() const {
    const auto active =
        sources_.jobs.count(jobs::JobState::running) + sources_.jobs.count(jobs::JobState::waiting);
    return active == 0
               ? std::string{"idle"}
               : fmt::format("{} jobs, {} transfers, {}/s down, {}/s up", active, transfers_.size(),
                             format_size(received_.now), format_size(sent_.now));
}

Awaitable<> DaemonCalls::status(Call& call) {
    auto flights = sources_.flights.status();
    const std::size_t active = flights.size();
    if (!call.rights().administer) {
        flights = sources_.flights.status_for(call.peer().uid);
    }
    json::array transfers;
    for (const auto& flight : flights) {
        const auto speed = transfers_.find(flight.etag);
        transfers.push_back(json::object{
            {"etag", flight.etag},
            {"path", flight.path},
            {"repo", flight.repo.name},
            {"done", number(flight.done)},
            {"total", number(flight.total)},
            {"bytes_per_second", number(speed == transfers_.end() ? 0 : speed->second.now)},
            {"jobs", number(flight.askers)}});
    }
    json::array hosts;
    for (const auto& host : sources_.connections.status()) {
        hosts.push_back(json::object{{"host", host.host},
                                     {"connections", number(host.in_use)},
                                     {"limit", number(host.target)},
                                     {"waiting", number(host.waiting)}});
    }
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::steady_clock::now() - started_);
    co_await call.reply({{"version", sources_.version},
                         {"pid", std::int64_t{::getpid()}},
                         {"uptime_seconds", std::int64_t{uptime.count()}},
                         {"endpoint", sources_.endpoint},
                         {"cache_dir", sources_.cache_dir},
                         {"clients", number(sources_.clients())},
                         {"jobs_active", number(sources_.jobs.count(jobs::JobState::running))},
                         {"jobs_waiting", number(sources_.jobs.count(jobs::JobState::waiting))},
                         {"bytes_received", number(sources_.bytes_received())},
                         {"bytes_per_second", number(received_.now)},
                         {"bytes_sent", number(sources_.bytes_sent())},
                         {"bytes_sent_per_second", number(sent_.now)},
                         {"transfers_active", number(active)},
                         {"transfers", std::move(transfers)},
                         {"hosts", std::move(hosts)}});
}

} // namespace wharf::service
