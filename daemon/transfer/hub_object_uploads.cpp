#include "daemon/transfer/hub_object_uploads.hpp"

#include "base/scope_exit.hpp"

#include <chrono>

namespace wharf::transfer {

namespace {

/// How often those who wait for somebody else's sending look how far it is.
constexpr std::chrono::milliseconds look_again{200};

} // namespace

/// One object on its way to one repo.
struct HubObjectUploads::Flight {
    explicit Flight(std::uint64_t size) : parts{size} {}

    SentParts parts;
    const ObjectOrder* lead = nullptr; ///< who sends
    std::size_t members = 0;
    bool landed = false;
    async::Event changed;
};

HubObjectUploads::HubObjectUploads(UploadContext context)
    : context_{std::move(context)},
      questions_{context_.executor, context_.asking, context_.options.retry} {}

HubObjectUploads::~HubObjectUploads() = default;

Awaitable<> HubObjectUploads::stop() {
    co_await questions_.stop();
    while (sending_ > 0) {
        co_await changed_.wait();
    }
}

void HubObjectUploads::set_options(UploadOptions options) {
    context_.options = options;
    questions_.set_policy(options.retry);
}

Awaitable<> HubObjectUploads::send(ObjectOrder order) {
    const Key key{order.target.repo.type, order.target.repo.name, order.object.oid,
                  order.claimant.uid};
    auto& place = flights_[key];
    if (!place) {
        place = std::make_shared<Flight>(order.object.size);
    }
    const FlightPtr flight = place;
    ++flight->members;
    ++sending_;
    const ScopeExit over{[this, &key, &flight] { leave(key, flight); }};
    co_await wait_for_lead(flight, order);
    if (!flight->landed) {
        co_await lead(flight, order);
    }
    *order.sent = order.object.size;
}

/// Until it is there or somebody is needed who sends it. Shows what the sending one's note shows.
Awaitable<> HubObjectUploads::wait_for_lead(FlightPtr flight, const ObjectOrder& order) {
    const ScopeExit quiet{[note = order.note] { note->reason.clear(); }};
    while (flight->lead != nullptr) {
        order.note->reason = flight->lead->note->reason;
        *order.sent = flight->lead->sent->load();
        co_await flight->changed.wait_for(look_again);
    }
}

Awaitable<> HubObjectUploads::lead(FlightPtr flight, ObjectOrder& order) {
    flight->lead = &order;
    const ScopeExit over{[&flight] {
        flight->lead = nullptr;
        flight->changed.notify_all();
    }};
    co_await take_over(flight->parts, order);
    ObjectUpload upload{context_, questions_, flight->parts, order};
    co_await upload.run();
    flight->landed = true;
}

/// Begins with what somebody else has sent, else with what an earlier run has.
Awaitable<> HubObjectUploads::take_over(SentParts& parts, ObjectOrder& order) {
    if (!parts.has_action()) {
        if (order.earlier) {
            parts.restore(*std::exchange(order.earlier, std::nullopt));
        }
        co_return;
    }
    PartsSent known = parts.sent();
    co_await order.record->action_given(std::move(known.action), false);
    for (auto& [part, etag] : known.etags) {
        co_await order.record->part_sent(part, std::move(etag));
    }
}

void HubObjectUploads::leave(const Key& key, const FlightPtr& flight) {
    --sending_;
    changed_.notify_all();
    if (--flight->members > 0 && !flight->landed) {
        return;
    }
    const auto found = flights_.find(key);
    if (found != flights_.end() && found->second == flight) {
        flights_.erase(found);
    }
}

} // namespace wharf::transfer
