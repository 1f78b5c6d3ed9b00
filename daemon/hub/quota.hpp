#pragma once

#include "base/boot_clock.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/net/headers.hpp"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace wharf::hub {

/// What kind of request it is; the Hub counts questions and files apart.
enum class Bucket { api, files };

/// On whose account a request goes: with the host, what quotas are counted by.
struct Account {
    Token token; ///< the asker's, also where it is not sent along
    Bucket bucket = Bucket::api;
};

/// What is left of a quota in the window that runs.
struct QuotaLeft {
    std::uint64_t requests = 0;
    std::chrono::seconds reset{0}; ///< until the window ends; at most an hour
    /// Requests in a whole window, and its length, if that is said.
    std::optional<std::uint64_t> quota;
    std::optional<std::chrono::seconds> window;
};

/// What an answer says of the quota its request was counted under.
struct QuotaNews {
    std::string host; ///< as in Url::authority()
    Account account;
    BootClock::time_point at;      ///< when the answer came
    bool refused = false;          ///< status 429
    std::optional<QuotaLeft> left; ///< none: the answer does not say
    /// How long a refusal asks to stay away.
    std::optional<std::chrono::seconds> wait;
};

/// Told of every answer, on the thread that receives it, before the receiver goes on.
using QuotaObserver = std::function<void(const QuotaNews&)>;

/// The tightest of the windows that RateLimit names (`"api";r=12;t=55`), with its quota from
/// RateLimit-Policy (`"fixed window";"api";q=500;w=300`). None when there is none that can be read:
/// such fields never spoil an answer. Numbers are capped at what makes sense.
std::optional<QuotaLeft> quota_left(const net::Headers& headers);

/// What an answer that has come just now says.
QuotaNews quota_news(std::string host, Account account, unsigned status,
                     const net::Headers& headers);

/// How long an answer asks us to stay away: the Hub's RateLimit field where nothing remains
/// (`"api";r=0;t=55`), else Retry-After as seconds or as a date seen from `now`. At most an hour:
/// the Hub's windows are five minutes, and nobody is to stop us for days by one field.
std::optional<std::chrono::seconds> wait_asked(const net::Headers& headers,
                                               std::chrono::system_clock::time_point now);

} // namespace wharf::hub
