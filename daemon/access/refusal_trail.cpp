#include "daemon/access/refusal_trail.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

namespace wharf::access {

namespace {

constexpr std::chrono::minutes period{1};
constexpr std::size_t many_accounts = 1'000;

} // namespace

RefusalTrail::Account& RefusalTrail::account(uid_t uid, BootClock::time_point now) {
    if (accounts_.size() >= many_accounts) {
        std::erase_if(accounts_, [now](const auto& entry) { return entry.second.until <= now; });
    }
    Account& account = accounts_[uid];
    if (account.until <= now) {
        account.until = now + period;
        account.written = 0;
        account.last.clear();
    }
    return account;
}

void RefusalTrail::note(uid_t uid, std::string_view what, const PolicyRefusal& refusal) {
    Account& account = this->account(uid, now_());
    auto about = fmt::format("{} {}", what, refusal.repo());
    if (about == account.last || account.written >= most_in_a_minute) {
        ++account.left_out;
        return;
    }
    ++account.written;
    account.last = std::move(about);
    const std::size_t before = std::exchange(account.left_out, 0);
    audit_.record({.action = AuditEvent::Action::refuse,
                   .uid = uid,
                   .repo = refusal.repo(),
                   .detail = fmt::format("{}: {}{}", what, refusal.message(),
                                         before == 0 ? "" : fmt::format("; and {} before", before)),
                   .result = std::string{name(refusal.kind())},
                   .restricted = true});
}

} // namespace wharf::access
