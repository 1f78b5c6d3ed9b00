#include "daemon/jobs/turns.hpp"

#include "base/scope_exit.hpp"

#include <algorithm>
#include <tuple>

namespace wharf::jobs {

using transfer::Claimant;

Turns::Turn::~Turn() {
    if (owner_ != nullptr) {
        owner_->give_back(*claimant_);
    }
}

Awaitable<Turns::Turn> Turns::take(const Claimant& claimant) {
    const auto place = waiters_.emplace(waiters_.end());
    place->claimant = &claimant;
    const ScopeExit leave{[this, place] {
        const bool unused = place->granted;
        const Claimant& left = *place->claimant;
        waiters_.erase(place);
        if (unused) {
            give_back(left);
        }
    }};
    if (has_place(claimant)) { // else he changes nothing for the others
        reconsider();
    }
    while (!place->granted) {
        co_await place->turn.wait();
    }
    place->granted = false; // from here on the turn gives it back
    co_return Turn{*this, claimant};
}

bool Turns::has_place(const Claimant& claimant) const noexcept {
    const auto rivals = std::ranges::count_if(
        running_, [&](const Claimant* running) { return running->priority <= claimant.priority; });
    return static_cast<std::size_t>(rivals) < limit_;
}

/// Grants places as long as the one who is next may have one. Whoever is less urgent than him has
/// at least as many rivals, so nobody is passed over for want of a place.
void Turns::reconsider() {
    for (;;) {
        std::map<uid_t, std::size_t> running;
        for (const auto* each : running_) {
            ++running[each->uid];
        }
        const auto rank = [&](const Waiter& waiter) {
            const auto uid = waiter.claimant->uid;
            const auto served = last_served_.find(uid);
            return std::tuple{waiter.granted, waiter.claimant->priority,
                              running.contains(uid) ? running.at(uid) : 0,
                              served == last_served_.end() ? 0 : served->second};
        };
        const auto next = std::ranges::min_element(waiters_, {}, rank); // the first of equals
        if (next == waiters_.end() || next->granted || !has_place(*next->claimant)) {
            return;
        }
        grant(*next->claimant);
        next->granted = true;
        next->turn.notify_all();
    }
}

void Turns::grant(const Claimant& claimant) {
    running_.push_back(&claimant);
    last_served_[claimant.uid] = ++served_;
}

void Turns::give_back(const Claimant& claimant) {
    running_.erase(std::ranges::find(running_, &claimant));
    reconsider();
}

void Turns::set_limit(std::size_t limit) {
    limit_ = limit;
    reconsider();
}

} // namespace wharf::jobs
