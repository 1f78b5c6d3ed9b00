#include "daemon/scheduling/connections.hpp"

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"
#include "daemon/scheduling/host_connections.hpp"

#include <algorithm>
#include <map>
#include <ranges>
#include <tuple>

namespace wharf::scheduling {

namespace {

/// How long a host's number of connections is remembered when nobody uses it.
constexpr std::chrono::minutes keep_host{10};

} // namespace

/// All hosts. Of the overall limit classes get connections by weight, as on a host, and users of a
/// class equally many: bytes are made equal on each host, not between hosts, since what somebody
/// moves over a link that nobody else wants takes nothing from others.
class Connections::State : public std::enable_shared_from_this<State> {
  public:
    explicit State(Limits limits) : limits_{limits} {}

    struct Waiter : ConnectionWaiter {
        async::Event turn;
        Permit permit; ///< empty until it is granted
    };

    HostConnections& host(const std::string& name) {
        return hosts_.try_emplace(name, name, limits_.per_host).first->second;
    }

    void end(ConnectionGrant& grant) noexcept {
        --in_use_;
        drop_from(held_, grant.who);
        --held_by_class_[index(grant.who.priority)];
        grant.host.end(grant);
        dispatch();
    }

    void set_limits(Limits limits) {
        limits_ = limits;
        for (auto& host : hosts_ | std::views::values) {
            host.tuner().set_most(limits.per_host);
        }
        dispatch();
    }

    void tick(Clock::time_point now);
    std::vector<HostStatus> status() const;

    /// Gives connections to those who are next, until nobody is left or no room.
    void dispatch();

  private:
    using HeldBy = std::map<Claimant, std::size_t>;

    static void drop_from(HeldBy& held, const Claimant& who) {
        const auto entry = held.find(who);
        if (--entry->second == 0) {
            held.erase(entry);
        }
    }
    PerClass overall_room() const;
    HostConnections* next_host(const PerClass& room);
    void recall_overall(Clock::time_point now);

    Limits limits_;
    std::map<std::string, HostConnections> hosts_;
    std::size_t in_use_ = 0;
    HeldBy held_; ///< on all hosts
    PerClass held_by_class_{};
    std::uint64_t grants_ = 0;
};

void Connections::State::dispatch() {
    while (in_use_ < limits_.overall) {
        const PerClass room = overall_room();
        auto* host = next_host(room);
        if (host == nullptr) {
            return;
        }
        auto& waiter = static_cast<Waiter&>(*host->next(room));
        auto& grant = host->grant(waiter);
        host->last_grant = ++grants_;
        ++in_use_;
        ++held_[grant.who];
        ++held_by_class_[index(grant.who.priority)];
        waiter.permit = Permit{shared_from_this(), grant};
        waiter.turn.notify_all();
    }
}

/// The host whose next claim has the best right to a connection: of a class and then of a user with
/// few for their weight, and by turns where that is equal.
HostConnections* Connections::State::next_host(const PerClass& room) {
    HostConnections* best = nullptr;
    std::tuple<std::size_t, std::size_t, std::uint64_t> best_rank;
    for (auto& host : hosts_ | std::views::values) {
        const auto* waiter = host.next(room);
        if (waiter == nullptr) {
            continue;
        }
        const auto c = index(waiter->priority);
        const auto user = held_.find(Claimant{waiter->uid, waiter->priority});
        const std::tuple rank{held_by_class_[c] * class_weights[0] / class_weights[c],
                              user == held_.end() ? std::size_t{0} : user->second, host.last_grant};
        if (best == nullptr || rank < best_rank) {
            best = &host;
            best_rank = rank;
        }
    }
    return best;
}

/// How many more of all connections each class may use. At least one, as on a host.
PerClass Connections::State::overall_room() const {
    PerClass room{};
    for (const auto& host : hosts_ | std::views::values) {
        for (std::size_t c = 0; c < priorities; ++c) {
            room[c] += host.demand(c);
        }
    }
    room = class_shares(limits_.overall, room);
    for (std::size_t c = 0; c < priorities; ++c) {
        room[c] = std::max<std::size_t>(room[c], 1);
        room[c] -= std::min(room[c], held_by_class_[c]);
    }
    return room;
}

void Connections::State::tick(Clock::time_point now) {
    for (auto& host : hosts_ | std::views::values) {
        host.tick(now);
    }
    recall_overall(now);
    dispatch(); // targets may have risen
    std::erase_if(hosts_, [&](const auto& entry) {
        const auto& host = entry.second;
        return host.unused_since && now - *host.unused_since >= keep_host;
    });
}

/// Asks those back that users hold above their share of all connections.
void Connections::State::recall_overall(Clock::time_point now) {
    ConnectionUses all;
    for (const auto& host : hosts_ | std::views::values) {
        ConnectionUses here;
        host.add_uses(here);
        for (const auto& [who, use] : here) {
            auto& sum = all[who];
            sum.who = who;
            sum.held += use.held;
            sum.asked += use.asked;
            sum.waiting += std::min(use.waiting, host.room(index(who.priority)));
            sum.turn = sum.held;
        }
    }
    std::vector<ConnectionUse> plan;
    std::ranges::copy(all | std::views::values, std::back_inserter(plan));
    plan_recalls(plan, limits_.overall);
    for (const auto& use : plan) {
        std::size_t left = use.recall;
        for (auto& host : hosts_ | std::views::values) {
            left -= left > 0 ? host.recall(use.who, left, now) : 0;
        }
    }
}

std::vector<Connections::HostStatus> Connections::State::status() const {
    std::vector<HostStatus> all;
    for (const auto& [name, host] : hosts_) {
        if (host.in_use() > 0 || host.waiting() > 0) {
            all.push_back({.host = name,
                           .in_use = host.in_use(),
                           .target = host.tuner().target(),
                           .waiting = host.waiting()});
        }
    }
    return all;
}

Connections::Connections(Limits limits) : state_{std::make_shared<State>(limits)} {}

Connections::~Connections() = default;

Awaitable<Connections::Permit> Connections::acquire(Claim claim) {
    const auto state = state_;
    State::Waiter waiter;
    waiter.uid = claim.who.uid;
    waiter.priority = claim.who.priority;
    waiter.cost = claim.bytes;
    auto& host = state->host(claim.host);
    host.push(waiter);
    ScopeExit leave{[&] {
        if (!waiter.permit) { // else it ends with the waiter, and goes to the next
            host.withdraw(waiter);
        }
    }};
    state->dispatch();
    while (!waiter.permit) {
        co_await waiter.turn.wait();
    }
    leave.release();
    co_return std::move(waiter.permit);
}

void Connections::set_limits(Limits limits) {
    state_->set_limits(limits);
}

void Connections::tick(Clock::time_point now) {
    state_->tick(now);
}

std::vector<Connections::HostStatus> Connections::status() const {
    return state_->status();
}

Connections::Permit& Connections::Permit::operator=(Permit&& other) noexcept {
    release();
    state_ = std::move(other.state_);
    grant_ = std::exchange(other.grant_, nullptr);
    return *this;
}

Connections::Permit::~Permit() {
    release();
}

std::shared_ptr<ConnectionLine> Connections::Permit::line() const noexcept {
    return grant_->line;
}

void Connections::Permit::failed(const Error& error) noexcept {
    const auto kind = error.kind();
    if (kind == ErrorKind::network || kind == ErrorKind::unavailable ||
        kind == ErrorKind::rate_limited) {
        grant_->host.tuner().failed();
    }
}

void Connections::Permit::release() noexcept {
    if (const auto state = std::exchange(state_, nullptr)) {
        state->end(*grant_);
    }
}

} // namespace wharf::scheduling
