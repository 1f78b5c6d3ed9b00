#pragma once

#include "base/boot_clock.hpp"
#include "daemon/hub/quota.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>

namespace wharf::scheduling {

/// What we know of one quota (one host, token and bucket), and when the next request may be sent.
/// Others may use the same quota: the server's last word counts, ours is an estimate between its
/// answers. Pure: time is passed in. What it does is explained in quota.cpp.
class Quota {
  public:
    using Clock = BootClock;

    enum class Reason {
        none,    ///< go ahead
        asked,   ///< the host refused a request and named a time
        used_up, ///< nothing is left before the reset
        low,     ///< what is left is spread over the time to the reset
        unsure,  ///< a window has just begun: the first answers will tell
    };
    struct Wait {
        Clock::duration left{0}; ///< zero: a request may be sent now
        Reason reason = Reason::none;
    };

    /// `cost`: how many requests may come of one that passes, by redirects. `seed` feeds the
    /// jitter.
    Quota(std::uint64_t cost, std::uint64_t seed);

    /// How long the next request must wait, if nothing is heard meanwhile.
    Wait wait(Clock::time_point now);

    /// A request goes out now. Requires: wait() is over.
    void take(Clock::time_point now);

    /// A request that took a unit is answered, has failed or was never sent.
    void give_back(Clock::time_point now) noexcept;

    void observe(const hub::QuotaNews& news);

    /// Whether nothing would be lost by forgetting it.
    bool is_idle(Clock::time_point now) const noexcept;

    Clock::time_point last_used() const noexcept { return last_used_; }

    /// What remains of the quota, and the quota, as far as is known; for sentences.
    std::optional<std::uint64_t> left() const noexcept { return left_; }
    std::uint64_t quota() const noexcept { return quota_; }

  private:
    Clock::time_point reopens() const noexcept { return ends_ + lateness_ + jitter_; }
    std::uint64_t free() const noexcept;
    std::uint64_t low() const noexcept;
    std::uint64_t least() const noexcept;
    Clock::duration jitter();
    void turn_window(Clock::time_point now) noexcept;
    void refused(const hub::QuotaNews& news);
    bool note_left(const hub::QuotaLeft& left, Clock::time_point at);

    std::uint64_t cost_;
    std::minstd_rand random_;

    std::uint64_t quota_ = 0;           ///< the most that was ever left; 0: not known
    std::optional<std::uint64_t> left_; ///< in the running window, by the server's last word
    Clock::time_point ends_{};          ///< of the window, by its earliest estimate
    Clock::duration jitter_{0};         ///< added to the end
    Clock::duration lateness_{0};       ///< how much later than announced windows do end
    Clock::time_point closed_until_{};  ///< the host's wish
    Clock::time_point next_slow_{};     ///< when the next may go while little is left

    /// While careful: how many more may go before an answer comes.
    std::optional<std::uint64_t> trials_;
    bool after_reset_ = false; ///< careful because a window ended, by our estimate
    std::size_t on_their_way_ = 0;
    Clock::time_point last_used_{};
};

} // namespace wharf::scheduling
