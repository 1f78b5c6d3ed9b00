#include "daemon/scheduling/fair_queue.hpp"

#include <algorithm>

namespace wharf::scheduling {

void FairQueue::push(Entry& entry) {
    auto& account = accounts_[entry.uid];
    entry.place = account.waiting.insert(account.waiting.end(), &entry);
    ++waiting_;
    if (account.waiting.size() == 1) {
        account.charged = std::max(account.charged, start_);
        queue_up(entry.uid, account);
    }
}

void FairQueue::withdraw(Entry& entry) {
    auto& account = accounts_.at(entry.uid);
    account.waiting.erase(entry.place);
    --waiting_;
    if (account.waiting.empty()) {
        turns_.erase(account.turn);
    }
    forget_if_idle();
}

FairQueue::Entry& FairQueue::front() const {
    return *accounts_.at(turns_.begin()->uid).waiting.front();
}

FairQueue::Charge FairQueue::pop() {
    const uid_t uid = turns_.begin()->uid;
    auto& account = accounts_.at(uid);
    const std::uint64_t cost = account.waiting.front()->cost;
    const Charge charge{.uid = uid, .reserved = std::clamp(cost, least_cost, quantum)};
    account.waiting.pop_front();
    --waiting_;
    ++account.served;
    ++served_;
    if (account.waiting.empty()) {
        turns_.erase(account.turn);
    }
    start_ = std::max(start_, account.charged - account.unspent);
    account.unspent += charge.reserved;
    change(account, account.charged + charge.reserved);
    return charge;
}

void FairQueue::book(Charge& charge, std::uint64_t moved) {
    auto& account = accounts_.at(charge.uid);
    const auto charged = std::max(charge.reserved, charge.moved);
    account.unspent -= charged - charge.moved;
    charge.moved = moved;
    const auto now = std::max(charge.reserved, moved);
    account.unspent += now - moved;
    change(account, account.charged + (now - charged));
}

void FairQueue::settle(const Charge& charge) {
    auto& account = accounts_.at(charge.uid);
    const auto charged = std::max(charge.reserved, charge.moved);
    account.unspent -= charged - charge.moved;
    --account.served;
    --served_;
    change(account, account.charged - (charged - std::max(charge.moved, least_cost)));
    forget_if_idle();
}

/// Keeps the turn where it is as long as the round stays the same: a turn lasts a quantum.
void FairQueue::change(Account& account, std::uint64_t charged) {
    const auto round = account.round();
    account.charged = charged;
    if (!account.waiting.empty() && account.round() != round) {
        const auto turn = account.turn;
        turns_.erase(turn);
        queue_up(turn.uid, account);
    }
}

void FairQueue::queue_up(uid_t uid, Account& account) {
    account.turn = Turn{account.round(), ++arrivals_, uid};
    turns_.insert(account.turn);
}

/// Old accounts matter as long as somebody is there to compare with; they are few, a uid each.
void FairQueue::forget_if_idle() {
    if (waiting_ == 0 && served_ == 0) {
        accounts_.clear();
    }
}

} // namespace wharf::scheduling
