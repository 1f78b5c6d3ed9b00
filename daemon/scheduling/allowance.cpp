#include "daemon/scheduling/allowance.hpp"

#include <algorithm>
#include <utility>

namespace wharf::scheduling {

Allowance::Allowance(std::shared_ptr<Account> account) noexcept : account_{std::move(account)} {}

Allowance::~Allowance() {
    account_->closed = true;
}

Awaitable<std::size_t> Allowance::take(std::size_t wanted) {
    Account& account = *account_;
    while (account.limited.load(std::memory_order_relaxed)) {
        if (const std::size_t taken = withdraw(wanted); taken > 0) {
            account.waiting = false;
            co_return taken;
        }
        account.waiting = true;
        if (account.credit == 0 && account.limited) {
            co_await account.woken.wait();
        }
    }
    co_return wanted;
}

std::size_t Allowance::withdraw(std::size_t wanted) noexcept {
    const auto most =
        std::min<std::uint64_t>(wanted, account_->at_once.load(std::memory_order_relaxed));
    std::uint64_t credit = account_->credit;
    std::uint64_t taken = 0;
    do {
        taken = std::min(credit, most);
    } while (taken > 0 && !account_->credit.compare_exchange_weak(credit, credit - taken));
    return static_cast<std::size_t>(taken);
}

void Allowance::give_back(std::size_t unused) noexcept {
    if (unused > 0 && account_->limited.load(std::memory_order_relaxed)) {
        account_->credit += unused;
    }
}

} // namespace wharf::scheduling
