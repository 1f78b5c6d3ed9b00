#include "daemon/transfer/supply.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/hop.hpp"
#include "daemon/scheduling/turn.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

namespace wharf::transfer {

namespace {

std::uint64_t jitter_seed(const std::string& etag) {
    return std::hash<std::string>{}(etag) ^
           static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

} // namespace

Supply::Supply(TransferContext& context, const hub::TreeEntry& entry, Askers& askers,
               std::function<void()> refused)
    : context_{context}, entry_{entry}, askers_{askers}, refused_{std::move(refused)},
      lane_{context.lanes}, retry_{context.options.retry, jitter_seed(entry.etag())} {}

Awaitable<std::optional<Supply::Failure>> Supply::try_once(std::uint64_t bytes, Fetch fetch) {
    std::optional<Failure> failure;
    for (bool is_over = false; !is_over;) {
        co_await wait_for_location();
        prefer_open_quota();
        const hub::FileSource source = askers_.asking();
        const Locator locator = location_ ? 0 : ++last_locator_;
        if (locator != 0) {
            locating_ = locator;
        }
        const ScopeExit asked{[this, locator] { end_locating(locator); }};
        const auto where = location_;
        Outcome outcome = co_await carry_out(bytes, order_for(source), fetch, locator);
        is_over = !outcome.is_moot;
        if (outcome.error) {
            failure.emplace(Failure{*std::move(outcome.error), source, where});
        }
    }
    co_return failure;
}

/// Whether the Hub takes no question from him for now.
bool Supply::is_closed(const hub::FileSource& source) const {
    return context_.gate.is_closed(context_.endpoint.authority(), source.token, hub::Bucket::files);
}

/// Nobody waits for what another one has used up: the Hub is asked in the name of one who may ask.
/// False: nobody may, or the Hub need not be asked.
bool Supply::prefer_open_quota() {
    const auto* lead = askers_.lead();
    return !location_ && lead != nullptr && is_closed(*lead) &&
           askers_.put_first([this](const hub::FileSource& source) { return !is_closed(source); });
}

/// One asks the Hub where the bytes are; the others wait for what it hears.
Awaitable<> Supply::wait_for_location() {
    while (!location_ && locating_ != 0) {
        co_await located_.wait();
    }
}

/// Asking is over when the answer's header has come or the try has failed.
void Supply::end_locating(Locator locator) {
    if (locator != 0 && locating_ == locator) {
        locating_ = 0;
        located_.notify_all();
    }
}

FetchOrder Supply::order_for(const hub::FileSource& source) {
    FetchOrder order;
    order.source = source;
    order.etag = entry_.etag();
    order.size = entry_.size;
    order.location = location_;
    return order;
}

/// Waits for the host's patience and a connection, then lets a lane fetch.
Awaitable<Supply::Outcome> Supply::carry_out(std::uint64_t bytes, FetchOrder order, Fetch fetch,
                                             Locator locator) {
    const std::string host = host_of(order.location);
    const hub::Token token = order.source.token;
    const scheduling::Claimant who = askers_.claimant().value_or(scheduling::Claimant{});
    scheduling::Connections::Claim claim{.who = who, .host = host, .bytes = bytes};
    scheduling::Turn turn = co_await scheduling::wait_for_turn(
        context_.gate, context_.connections, std::move(claim), token, note_, retry_.longest_asked(),
        [this] { return prefer_open_quota(); });
    if (!turn.leave) {
        co_return Outcome{.error = {}, .is_moot = true};
    }
    const auto leave = std::make_shared<scheduling::RateGate::Unit>(std::move(turn.leave));
    scheduling::Connections::Permit connection = std::move(turn.connection);
    auto& lane = lane_.enter();
    const ScopeExit idle{[this, leave] {
        lane_.leave();
        leave->release();
    }};
    order.located = location_listener(token, leave, locator);
    order.connection = connection.line();
    order.allowance = context_.bandwidth.open(who, lane.executor);
    Outcome outcome;
    try {
        co_await async::run_on(lane.executor, fetch(lane, std::move(order)));
    } catch (const Error& error) {
        connection.failed(error);
        outcome.error = error;
    }
    co_return outcome;
}

std::string Supply::host_of(const std::optional<net::Url>& location) const {
    return location ? location->authority() : context_.endpoint.authority();
}

/// Brings the news of a lane to the control thread: the question is answered, and the bytes are
/// there, if the location still is the asker's whose token it was signed for.
std::function<void(const net::Url&)>
Supply::location_listener(hub::Token token, std::shared_ptr<scheduling::RateGate::Unit> leave,
                          Locator locator) {
    return [executor = context_.executor, supply = weak_from_this(), token = std::move(token),
            leave = std::move(leave), locator](const net::Url& location) {
        asio::post(executor, [supply, token, leave, locator, location] {
            leave->release();
            const auto self = supply.lock();
            if (!self) {
                return;
            }
            if (self->askers_.lead() != nullptr && self->askers_.lead()->token == token) {
                self->location_ = location;
                self->located_.notify_all();
            }
            self->end_locating(locator);
        });
    };
}

Awaitable<> Supply::recover(Failure failure) {
    const auto& [error, source, where] = failure;
    if (askers_.refuse(source, error)) {
        location_.reset();
        located_.notify_all();
        refused_();
        log::info("transfer", "{}: {}", entry_.etag(), error.message());
        co_return; // to the next in line, if there is one
    }
    if (where && error.kind() != ErrorKind::rate_limited) {
        if (location_ && location_->to_string() == where->to_string()) {
            location_.reset();
        }
        if (error.kind() == ErrorKind::unavailable && !error.retry_after()) {
            co_return; // most likely the signature expired: ask the Hub anew, at once
        }
    }
    if (error.kind() == ErrorKind::rate_limited && prefer_open_quota()) {
        co_return; // to one whom the Hub lets ask
    }
    // An outage hits all connections of the file: that is one failure, not one for each.
    const auto now = std::chrono::steady_clock::now();
    const bool counted = now < retry_at_;
    const auto delay = retry_.next(error, counted);
    if (!delay) {
        throw error;
    }
    if (context_.gate.is_closed(host_of(location_), source.token, hub::Bucket::files)) {
        co_return; // there we wait, and say how long
    }
    if (!counted) {
        retry_at_ = now + *delay;
    }
    log::warning("transfer", "{}: {}; trying again in {} ms", entry_.path, error.message(),
                 delay->count());
    note_->reason = fmt::format("{}; trying again", error.message());
    const ScopeExit healed{[note = note_] { note->reason.clear(); }};
    co_await async::sleep_for(*delay);
}

} // namespace wharf::transfer
