#include "daemon/transfer/host_connections.hpp"

#include <algorithm>
#include <ranges>

namespace wharf::transfer {

namespace {

/// A connection is not asked back before: its request would have been for nothing, and two who ask
/// each other back could keep each other from moving at all.
constexpr std::chrono::milliseconds least_use{400};

/// Nor if the rest comes within this time at the pace so far.
constexpr std::chrono::milliseconds soon_over{500};

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
}

void HostConnections::withdraw(ConnectionWaiter& waiter) {
    queues_[index(waiter.priority)].withdraw(waiter);
}

/// A class below its share comes before one above it; shares add up to more than the target only
/// where there are fewer connections than classes, and there bytes by weight decide.
ConnectionWaiter* HostConnections::next() const {
    if (in_use() >= tuner_.target()) {
        return nullptr;
    }
    PerClass demand{};
    for (std::size_t c = 0; c < class_count; ++c) {
        demand[c] = held(c) + waiting(c);
    }
    const auto shares = class_shares(tuner_.target(), demand, Leftovers::to_more_urgent);
    std::optional<std::size_t> best;
    for (std::size_t c = 0; c < class_count; ++c) {
        if (!queues_[c].empty() && held(c) < std::max<std::size_t>(shares[c], 1) &&
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
    if (grants_.empty() && waiting() == 0) {
        unused_since = unused_since.value_or(now);
    } else {
        unused_since.reset();
    }
    tuner_.tick(now, {.work = work_, .in_use = in_use(), .waiting = waiting()});
    ConnectionUses uses;
    add_uses(uses);
    std::vector<ConnectionUse> plan;
    std::ranges::copy(uses | std::views::values, std::back_inserter(plan));
    plan_recalls(plan, tuner_.target(), Leftovers::to_more_urgent);
    for (const auto& use : plan) {
        recall(use.who, use.recall, now);
    }
}

void HostConnections::add_uses(ConnectionUses& uses) const {
    for (std::size_t c = 0; c < class_count; ++c) {
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

} // namespace wharf::transfer
