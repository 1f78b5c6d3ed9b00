#pragma once

#include "daemon/async/event.hpp"
#include "daemon/scheduling/claimant.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace wharf::jobs {

/// Bounds how many jobs run at once, also of each account. Of those that wait, the more urgent
/// class is next; in it the account that has the fewest running, of these the one that was served
/// longest ago; then the one that came first. A class is not held up by less urgent ones: only jobs
/// of the same or a more urgent class count against the limit. An account that has as many running
/// as it may is passed over. Control thread.
class Turns {
  public:
    /// Holds one place until it is destroyed.
    class Turn {
      public:
        Turn(Turns& owner, const scheduling::Claimant& claimant) noexcept
            : owner_{&owner}, claimant_{&claimant} {}
        Turn(Turn&& other) noexcept
            : owner_{std::exchange(other.owner_, nullptr)}, claimant_{other.claimant_} {}
        Turn& operator=(Turn&&) = delete;
        ~Turn();

      private:
        Turns* owner_;
        const scheduling::Claimant* claimant_;
    };

    /// How many jobs of an account may run; none: as many as there are places.
    using AccountLimit = std::function<std::optional<std::size_t>(uid_t)>;

    explicit Turns(std::size_t limit, AccountLimit account_limit = {})
        : limit_{limit}, account_limit_{std::move(account_limit)} {}

    /// Waits for a place. Requires: `claimant` outlives the turn; what it says may change
    /// meanwhile. Throws operation_aborted when the task is cancelled.
    Awaitable<Turn> take(const scheduling::Claimant& claimant);

    /// How many jobs of the account run, when it may not have more.
    std::optional<std::size_t> exhausted_by(uid_t uid) const;

    /// A claimant's priority, or a limit, has changed.
    void reconsider();
    void set_limit(std::size_t limit);

  private:
    friend class Turn;
    struct Waiter {
        const scheduling::Claimant* claimant;
        async::Event turn;
        bool granted = false;
    };
    void give_back(const scheduling::Claimant& claimant);
    bool has_place(const scheduling::Claimant& claimant) const noexcept;
    std::size_t running_of(uid_t uid) const;
    void grant(const scheduling::Claimant& claimant);

    std::size_t limit_;
    AccountLimit account_limit_;
    std::vector<const scheduling::Claimant*> running_;
    std::list<Waiter> waiters_;                  ///< in the order of their coming
    std::uint64_t served_ = 0;                   ///< counts grants
    std::map<uid_t, std::uint64_t> last_served_; ///< by account: at which grant
};

} // namespace wharf::jobs
