#pragma once

#include "daemon/scheduling/allowance.hpp"
#include "daemon/scheduling/share_out.hpp"

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <map>
#include <memory>
#include <vector>

namespace wharf::scheduling {

/// What a limit has to give: it fills with time, and holds at most what a tenth of a second brings,
/// which is the largest burst after a pause.
class Bucket {
  public:
    /// 0: no limit. What is in it stays, as far as it fits.
    void set_rate(std::uint64_t bytes_per_second) noexcept;
    std::uint64_t rate() const noexcept { return rate_; }

    void fill(std::chrono::nanoseconds elapsed) noexcept;
    void put_back(std::uint64_t bytes) noexcept;
    void drain(std::uint64_t bytes) noexcept;
    std::uint64_t content() const noexcept;

  private:
    std::uint64_t rate_ = 0;
    double level_ = 0; ///< bytes; what time brings is no whole number of them
};

/// Shares limited bandwidth out among all fetches that move bytes in one direction. While a limit
/// applies to any of them a timer ticks: what was granted and not used comes back, what time has
/// brought is added, and share_out() grants it all anew. Where no limit applies nothing is counted,
/// and no timer runs. Control thread. docs/decisions/0010 has the reasons.
class Bandwidth {
  public:
    using Clock = std::chrono::steady_clock;

    /// How often the timer ticks. A lane that waits is woken so often at most, and reads as much
    /// less at a time; a fetch waits so long at most for its first bytes.
    static constexpr std::chrono::milliseconds tick{20};

    explicit Bandwidth(Executor executor);

    /// Requires: the executor does not run any more, or nobody waits in take().
    ~Bandwidth();

    /// The allowance of a new fetch whose bytes are read on `lane`'s thread. Dropping it closes it.
    std::shared_ptr<Allowance> open(Claimant who, Executor lane);

    /// From now on the fetch is on somebody else's account, or more or less urgent.
    void charge(const Allowance& allowance, Claimant who);

    /// Takes effect at once, also for fetches that run or wait. Cheap when nothing has changed.
    void set_limits(BandwidthLimits limits, Clock::time_point now = Clock::now());
    const BandwidthLimits& limits() const noexcept { return limits_; }

    /// What the timer does. Public so that tests can be the clock.
    void share(Clock::time_point now);

    /// Whether the timer runs.
    bool ticking() const noexcept { return ticking_; }

    /// Fetches that are known, some of which may have ended.
    std::size_t size() const noexcept { return accounts_.size(); }

  private:
    using Account = Allowance::Account;

    /// Those whose limit applies to the claimant.
    std::vector<Bucket*> buckets_of(Claimant who);
    bool is_limited(Claimant who);
    void update(const std::shared_ptr<Account>& account);
    void collect(Account& account);
    void refill(Clock::time_point now);
    std::uint64_t room(Account& account, std::size_t claims);
    Budget budget() const;
    void grant(const std::shared_ptr<Account>& account, std::uint64_t bytes);
    static void wake(const std::shared_ptr<Account>& account);
    void drop_closed();
    bool needs_ticks() const;
    void start_ticking();
    void wait_for_tick();

    BandwidthLimits limits_;
    Bucket all_;
    std::array<Bucket, priorities> by_class_;
    std::map<uid_t, Bucket> by_user_;
    std::vector<std::shared_ptr<Account>> accounts_; ///< also of fetches that no limit applies to
    std::size_t drop_at_ = 16;
    Clock::time_point filled_;
    asio::steady_timer timer_;
    bool ticking_ = false;
    std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

} // namespace wharf::scheduling
