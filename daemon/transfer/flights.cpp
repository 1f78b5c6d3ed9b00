#include "daemon/transfer/flights.hpp"

#include "base/log.hpp"
#include "daemon/transfer/flight.hpp"

#include <algorithm>

namespace wharf::transfer {

namespace {

/// About 150 bytes each.
constexpr std::size_t most_landed = 100'000;

} // namespace

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

Flights::Flights(TransferContext context) : context_{std::move(context)} {}

Flights::~Flights() = default;

std::unique_ptr<Ticket> Flights::join(hub::FileSource source, hub::TreeEntry entry, bool force,
                                      scheduling::Claimant claimant) {
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
                           .path = flight->askers().lead()->path,
                           .done = flight->done(),
                           .total = flight->entry().size,
                           .askers = flight->askers().size()});
        }
    }
    return all;
}

std::vector<FlightStatus> Flights::status_for(uid_t uid) const {
    std::vector<FlightStatus> own;
    for (const auto& [etag, flight] : flights_) {
        const auto asker = flight->askers().share_of(uid);
        if (flight->state() == Flight::State::running && asker.source != nullptr) {
            own.push_back({.etag = etag,
                           .repo = asker.source->repo,
                           .path = asker.source->path,
                           .done = flight->done(),
                           .total = flight->entry().size,
                           .askers = asker.count});
        }
    }
    return own;
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

bool Flights::may_be_held(const std::string& etag) const {
    return context_.options.others_write || !landed_is_whole_ || landed_.contains(etag);
}

void Flights::ended(const Flight& flight) {
    if (flight.state() == Flight::State::landed) {
        if (landed_.size() >= most_landed) {
            landed_.clear();
            landed_is_whole_ = false;
        }
        landed_.insert(flight.entry().etag());
    }
    const auto place = flights_.find(flight.entry().etag());
    if (place != flights_.end() && place->second.get() == &flight) {
        flights_.erase(place);
    }
}

void Flights::drop_stale() {
    const auto oldest = std::chrono::steady_clock::now() - context_.options.keep_paused;
    std::erase_if(flights_, [&](const auto& entry) {
        const auto& flight = *entry.second;
        return flight.state() == Flight::State::paused && flight.askers().empty() &&
               flight.paused_since() < oldest;
    });
}

void Flights::drop_paused() {
    std::erase_if(flights_, [](const auto& entry) {
        return entry.second->state() == Flight::State::paused && entry.second->askers().empty();
    });
}

} // namespace wharf::transfer
