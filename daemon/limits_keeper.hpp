#pragma once

#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/limits.hpp"

#include <functional>
#include <set>
#include <string>

namespace wharf {

/// Holds the bandwidth to what [limits] says for the time of day. Control thread.
class LimitsKeeper {
  public:
    /// Told what holds now: once a second, and it is usually what held before.
    using Apply = std::function<void(scheduling::BandwidthLimits download,
                                     scheduling::BandwidthLimits upload)>;

    /// `pool` outlives keep_users().
    LimitsKeeper(Limits limits, async::BlockingPool& pool, Apply apply);

    /// Takes over a new configuration. Its rates hold at once, those of users who were not named
    /// before as soon as their numbers are known.
    void set(Limits limits);

    /// Looks at the clock every second until it is cancelled.
    Awaitable<> keep_time();

    /// Looks the users up, now, whenever set() was called and every minute, until it is cancelled.
    /// Apart from keep_time() because a directory server may let us wait. Who was known and is not
    /// found any more keeps the number: the server may be out of order.
    Awaitable<> keep_users();

  private:
    void apply_now();
    void learn(const UserIds& found);

    Limits limits_;
    async::BlockingPool& pool_;
    Apply apply_;
    UserIds users_;
    std::set<std::string> warned_; ///< users that were said to be unknown
    async::Event changed_;
};

} // namespace wharf
