#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/hub/types.hpp"

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace wharf::transfer {

/// Why something waits, for the people who wait for it. Written by whoever waits; shown by others.
struct WaitNote {
    std::string reason; ///< empty: nothing is waited for
};

/// Keeps the whole box quiet towards a host that asked one token's requests to wait: the next
/// request would only be refused, and count against the quota. Control thread.
class RateGate {
  public:
    using Clock = std::chrono::steady_clock;

    /// Waits as long as the host named in earlier answers. Throws a rate_limited Error when that is
    /// longer than `longest`, operation_aborted when cancelled.
    Awaitable<> pass(std::string host, hub::Token token, std::shared_ptr<WaitNote> note,
                     std::chrono::seconds longest);

    /// Whether pass() would wait.
    bool is_closed(const std::string& host, const hub::Token& token) const;

    /// Remembers the answer's wish, if it has one.
    void learn(const std::string& host, const hub::Token& token, const Error& error);

  private:
    static std::string key(const std::string& host, const hub::Token& token);

    std::map<std::string, Clock::time_point> closed_until_;
};

} // namespace wharf::transfer
