#include "daemon/transfer/flights.hpp"

#include "base/log.hpp"
#include "daemon/transfer/flight.hpp"

#include <algorithm>

namespace wharf::transfer {

Ticket::Ticket(std::shared_ptr<Flight> flight, Askers::Place place)
    : flight_{std::move(flight)}, place_{place} {}

Ticket::~Ticket() {
    flight_->leave(place_);
}

Awaitable<> Ticket::landed() {
    return flight_->landed(place_);
}

std::uint64_t Ticket::done() const noexcept {
    return flight_->done();
}

const std::string& Ticket::reason() const noexcept {
    return flight_->reason();
}

Flights::Flights(FlightContext context)
    : context_{std::move(context)}, all_connections_{context_.options.max_connections} {}

Flights::~Flights() = default;

std::unique_ptr<Ticket> Flights::join(hub::FileSource source, hub::TreeEntry entry, bool force,
                                      Claimant claimant) {
    drop_stale();
    auto& flight = flights_[entry.etag()];
    if (!flight) {
        flight = std::make_shared<Flight>(*this, std::move(entry), force);
    }
    const auto joined = flight;
    auto ticket = std::make_unique<Ticket>(joined, joined->add(std::move(source), claimant));
    if (joined->state() == Flight::State::paused) {
        joined->start();
    }
    return ticket;
}

std::vector<FlightStatus> Flights::status() const {
    std::vector<FlightStatus> all;
    for (const auto& [etag, flight] : flights_) {
        if (flight->state() == Flight::State::running && flight->askers().lead() != nullptr) {
            all.push_back({.etag = etag,
                           .repo = flight->askers().lead()->repo,
                           .path = flight->entry().path,
                           .done = flight->done(),
                           .total = flight->entry().size,
                           .askers = flight->askers().size()});
        }
    }
    return all;
}

Awaitable<> Flights::stop() {
    stopping_ = true;
    for (const auto& [etag, flight] : flights_) {
        flight->cancel();
    }
    while (running_ > 0) {
        co_await changed_.wait();
    }
    flights_.clear();
}

void Flights::set_options(FlightOptions options) {
    all_connections_.resize(options.max_connections - context_.options.max_connections);
    for (const auto& [host, limit] : host_connections_) {
        limit->resize(options.max_connections_per_host - context_.options.max_connections_per_host);
    }
    context_.options = options;
}

async::Semaphore& Flights::host_limit(const std::string& host) {
    auto& limit = host_connections_[host];
    if (!limit) {
        limit = std::make_unique<async::Semaphore>(context_.options.max_connections_per_host);
    }
    return *limit;
}

std::string Flights::endpoint_host() const {
    return context_.endpoint.authority();
}

std::shared_ptr<Flight> Flights::successor(Flight& failed) {
    auto flight = std::make_shared<Flight>(*this, failed.entry(), false);
    flight->inherit(failed);
    return flight;
}

void Flights::drop_stale() {
    const auto oldest = std::chrono::steady_clock::now() - context_.options.keep_paused;
    std::erase_if(flights_, [&](const auto& entry) {
        const auto& flight = *entry.second;
        return flight.state() == Flight::State::paused && flight.askers().empty() &&
               flight.paused_since() < oldest;
    });
}

bool Flights::drop_unwanted() {
    const auto dropped = std::erase_if(flights_, [](const auto& entry) {
        return entry.second->state() == Flight::State::paused && entry.second->askers().empty();
    });
    if (dropped > 0) {
        log::info("transfer", "the disk is full: gave up {} paused files", dropped);
    }
    return dropped > 0;
}

} // namespace wharf::transfer
