#pragma once

#include "daemon/access/audit.hpp"
#include "daemon/access/moment.hpp"
#include "daemon/access/policy_refusal.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace wharf::access {

/// Takes down what the rules of this machine refused. Such a refusal costs whoever causes it
/// nothing, so that of one account only so many become entries: one that is the same as the last,
/// and those beyond a number in a minute, are counted, and the next entry says how many. Control
/// thread.
class RefusalTrail {
  public:
    /// Requires: `audit` outlives this.
    explicit RefusalTrail(Audit& audit, std::function<BootClock::time_point()> now = BootClock::now)
        : audit_{audit}, now_{std::move(now)} {}

    /// `what` was asked for: a method of the socket, or "connect".
    void note(uid_t uid, std::string_view what, const PolicyRefusal& refusal);

    static constexpr std::size_t most_in_a_minute = 60;

  private:
    struct Account {
        BootClock::time_point until; ///< of the minute that is counted
        std::size_t written = 0;     ///< in it
        std::size_t left_out = 0;    ///< since the last entry
        std::string last;            ///< what the last entry is about
    };

    Account& account(uid_t uid, BootClock::time_point now);

    Audit& audit_;
    std::function<BootClock::time_point()> now_;
    std::map<uid_t, Account> accounts_; ///< that were refused something in the last minutes
};

} // namespace wharf::access
