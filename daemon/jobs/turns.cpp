#include "daemon/jobs/turns.hpp"

#include "base/scope_exit.hpp"

#include <algorithm>
#include <tuple>

namespace wharf::jobs {

using scheduling::Claimant;

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

std::optional<std::size_t> Turns::exhausted_by(uid_t uid) const {
    const auto limit = account_limit_ ? account_limit_(uid) : std::nullopt;
    const auto count = running_of(uid);
    return limit && count >= *limit ? std::optional{count} : std::nullopt;
}

std::size_t Turns::running_of(uid_t uid) const {
    return static_cast<std::size_t>(std::ranges::count(running_, uid, &Claimant::uid));
}

/// Grants places as long as the one who is next may have one. Whoever is less urgent than him has
/// at least as many rivals, so nobody is passed over for want of a place.
void Turns::reconsider() {
    struct Standing {
        bool exhausted;
        std::size_t running;
        std::uint64_t served;
    };
    for (;;) {
        std::map<uid_t, Standing> standings;
        for (const auto& waiter : waiters_) {
            const auto uid = waiter.claimant->uid;
            if (!standings.contains(uid)) {
                const auto served = last_served_.find(uid);
                standings[uid] = {.exhausted = exhausted_by(uid).has_value(),
                                  .running = running_of(uid),
                                  .served = served == last_served_.end() ? 0 : served->second};
            }
        }
        const auto is_out = [&](const Waiter& waiter) {
            return waiter.granted || standings.at(waiter.claimant->uid).exhausted;
        };
        const auto rank = [&](const Waiter& waiter) {
            const auto& standing = standings.at(waiter.claimant->uid);
            return std::tuple{is_out(waiter), waiter.claimant->priority, standing.running,
                              standing.served};
        };
        const auto next = std::ranges::min_element(waiters_, {}, rank); // the first of equals
        if (next == waiters_.end() || is_out(*next) || !has_place(*next->claimant)) {
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
