#pragma once

#include "daemon/async/event.hpp"
#include "daemon/scheduling/claimant.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace wharf::scheduling {

/// The bytes that one fetch may read now. Bandwidth, on the control thread, puts credit in; the
/// fetch, on the thread of its lane, takes it out. Dropping it, on whatever thread, ends the
/// fetch's claim, and what it did not use goes to others.
class Allowance {
  public:
    /// What both threads touch; outlives whichever of them lets go first. The operations on
    /// `waiting`, `credit` and (to wait) `limited` are sequentially consistent: taking says
    /// "waiting" and then looks for credit, granting adds credit and then looks for "waiting", so
    /// one of them sees the other.
    struct Account {
        Account(Executor l, Claimant w) : lane{std::move(l)}, who{w} {}

        std::atomic<bool> limited{false};     ///< no limit applies otherwise: credit has no meaning
        std::atomic<bool> waiting{false};     ///< the fetch waits for credit
        std::atomic<bool> closed{false};      ///< the fetch is over
        std::atomic<std::uint64_t> credit{0}; ///< bytes granted and not yet taken
        std::atomic<std::uint64_t> at_once{1}; ///< the most that one take() gives

        const Executor lane;
        async::Event woken; ///< lane's thread only

        Claimant who;               ///< control thread only, like what follows
        std::uint64_t granted = 0;  ///< at the last tick
        std::uint64_t returned = 0; ///< of that, what was left at this one
        std::uint64_t used = 0;     ///< of that, what was not
        bool hungry = false;        ///< could have used more than that
        bool over = false;          ///< was closed when we looked
    };

    explicit Allowance(std::shared_ptr<Account> account) noexcept;
    Allowance(const Allowance&) = delete;
    Allowance& operator=(const Allowance&) = delete;
    ~Allowance();

    /// Lane's thread, one coroutine at a time. How many bytes may be read now: at least 1 and at
    /// most `wanted`, which is at least 1. Waits while there are none; without a limit returns
    /// `wanted` at once. Throws operation_aborted when the task is cancelled; nothing is taken
    /// then.
    Awaitable<std::size_t> take(std::size_t wanted);

    /// Lane's thread. Of what was taken, this much was not read after all.
    void give_back(std::size_t unused) noexcept;

  private:
    friend class Bandwidth;
    std::size_t withdraw(std::size_t wanted) noexcept;

    std::shared_ptr<Account> account_;
};

} // namespace wharf::scheduling
