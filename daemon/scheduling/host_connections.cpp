#include "daemon/scheduling/host_connections.hpp"

#include <algorithm>
#include <ranges>

namespace wharf::scheduling {

namespace {

/// A connection is not asked back before: its request would have been for nothing, and two who ask
/// each other back could keep each other from moving at all.
constexpr std::chrono::milliseconds least_use{400};

/// Nor if the rest comes within this time at the pace so far.
constexpr std::chrono::milliseconds soon_over{500};

/// How long a class keeps its share without a claim: longer than a flight is busy between two
/// files, shorter than anybody would notice of a lone prefetch.
constexpr std::chrono::seconds linger{1};

} // namespace

bool ConnectionGrant::worth_asking(Clock::time_point now) const noexcept {
    if (line->wanted_back() || !since || now - *since < least_use) {
        return false;
    }
    const auto received = line->received();
    if (received >= bytes) {
        return received == 0; // nothing was known of its size, and nothing has come
    }
    const double pace =
        static_cast<double>(received) / std::chrono::duration<double>{now - *since}.count();
    const double soon = pace * std::chrono::duration<double>{soon_over}.count();
    return static_cast<double>(bytes - received) > soon;
}

std::size_t HostConnections::waiting() const noexcept {
    std::size_t sum = 0;
    for (const auto& queue : queues_) {
        sum += queue.waiting();
    }
    return sum;
}

void HostConnections::push(ConnectionWaiter& waiter) {
    const auto c = index(waiter.priority);
    if (queues_[c].empty() && queues_[c].served() == 0) {
        class_charges_[c] = std::max(class_charges_[c], class_start_);
    }
    queues_[c].push(waiter);
    presence_[c].claimed = true;
}

void HostConnections::withdraw(ConnectionWaiter& waiter) {
    queues_[index(waiter.priority)].withdraw(waiter);
}

std::size_t HostConnections::demand(std::size_t which) const noexcept {
    const auto& presence = presence_[which];
    const std::size_t present = presence.claimed || presence.until > now_ ? 1 : 0;
    return std::max(held(which) + waiting(which), present);
}

std::size_t HostConnections::room(std::size_t which) const {
    if (in_use() >= tuner_.target()) {
        return 0;
    }
    const auto shares = class_shares(tuner_.target(), {demand(0), demand(1), demand(2)});
    const auto share = std::max<std::size_t>(shares[which], 1);
    return share - std::min(share, held(which));
}

/// Shares add up to more than the target only where there are fewer connections than classes, and
/// there bytes by weight decide.
ConnectionWaiter* HostConnections::next(const PerClass& most) const {
    std::optional<std::size_t> best;
    for (std::size_t c = 0; c < priorities; ++c) {
        if (!queues_[c].empty() && most[c] > 0 && room(c) > 0 &&
            (!best || class_charges_[c] < class_charges_[*best])) {
            best = c;
        }
    }
    return best ? static_cast<ConnectionWaiter*>(&queues_[*best].front()) : nullptr;
}

ConnectionGrant& HostConnections::grant(ConnectionWaiter& waiter) {
    const auto c = index(waiter.priority);
    class_start_ = std::max(class_start_, class_charges_[c]);
    const auto charge = queues_[c].pop();
    charge_class(c, 0, charge.reserved);
    auto& grant =
        grants_.emplace_back(*this, Claimant{waiter.uid, waiter.priority}, waiter.cost, charge);
    grant.place = std::prev(grants_.end());
    return grant;
}

void HostConnections::end(ConnectionGrant& grant) {
    book(grant);
    const auto c = index(grant.who.priority);
    const auto charged = std::max(grant.charge.reserved, grant.charge.moved);
    const auto used = std::max(grant.charge.moved, FairQueue::least_cost);
    charge_class(c, charged, used);
    if (grant.charge.moved > 0) {
        work_ += used - grant.charge.moved;
    }
    queues_[c].settle(grant.charge);
    grants_.erase(grant.place);
}

void HostConnections::tick(Clock::time_point now) {
    for (auto& grant : grants_) {
        book(grant);
        if (!grant.since) {
            grant.since = now;
        }
    }
    note_presence(now);
    tuner_.tick(now, {.work = work_, .in_use = in_use(), .waiting = waiting()});
    ConnectionUses uses;
    add_uses(uses);
    std::vector<ConnectionUse> plan;
    std::ranges::copy(uses | std::views::values, std::back_inserter(plan));
    plan_recalls(plan, tuner_.target());
    for (const auto& use : plan) {
        recall(use.who, use.recall, now);
    }
}

void HostConnections::note_presence(Clock::time_point now) {
    now_ = now;
    bool any = false;
    for (std::size_t c = 0; c < priorities; ++c) {
        auto& presence = presence_[c];
        if (presence.claimed || held(c) > 0 || waiting(c) > 0) {
            presence = {.claimed = false, .until = now + linger};
            any = true;
        }
    }
    unused_since = any ? std::nullopt : std::optional{unused_since.value_or(now)};
}

void HostConnections::add_uses(ConnectionUses& uses) const {
    for (std::size_t c = 0; c < priorities; ++c) {
        queues_[c].for_each_use([&](const FairQueue::Use& use) {
            const Claimant who{use.uid, static_cast<Priority>(c)};
            auto& sum = uses[who];
            sum.who = who;
            sum.held += use.served;
            sum.waiting += use.waiting;
            sum.turn = use.round;
        });
    }
    for (const auto& grant : grants_) {
        if (grant.line->wanted_back()) {
            auto& use = uses[grant.who];
            --use.held;
            ++use.asked;
        }
    }
}

/// The newest first: they have most still to come.
std::size_t HostConnections::recall(const Claimant& who, std::size_t count, Clock::time_point now) {
    std::size_t asked = 0;
    for (auto& grant : grants_ | std::views::reverse) {
        if (asked == count) {
            break;
        }
        if (grant.who == who && grant.worth_asking(now)) {
            grant.line->ask_back();
            ++asked;
        }
    }
    return asked;
}

void HostConnections::book(ConnectionGrant& grant) {
    const auto moved = grant.line->received();
    const auto& charge = grant.charge;
    work_ += moved - charge.moved;
    charge_class(index(grant.who.priority), std::max(charge.reserved, charge.moved),
                 std::max(charge.reserved, moved));
    queues_[index(grant.who.priority)].book(grant.charge, moved);
}

void HostConnections::charge_class(std::size_t which, std::uint64_t before, std::uint64_t after) {
    class_charges_[which] += (static_cast<double>(after) - static_cast<double>(before)) /
                             static_cast<double>(class_weights[which]);
}

} // namespace wharf::scheduling
