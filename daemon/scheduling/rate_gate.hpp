#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/hub/quota.hpp"
#include "daemon/scheduling/quota.hpp"

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

namespace wharf::scheduling {

/// Why something waits, for the people who wait for it. Written by whoever waits; shown by others.
struct WaitNote {
    std::string reason; ///< empty: nothing is waited for
};

/// The box's account of what hosts let each token do: every request passes here first, and every
/// answer is told here. While a host's quota is comfortable nothing waits; when it runs low,
/// requests are spread over the time to its reset; when it is used up, or the host asked to stay
/// away, they wait and are then let through gently, in the order in which they came. The rules are
/// Quota's. Control thread.
class RateGate {
    struct Entry;

  public:
    /// Leave to send one request, which counts as on its way until this is destroyed: let it go
    /// when the answer's header has come, or when the request will not be sent.
    class Unit {
      public:
        Unit() noexcept = default;
        Unit(Unit&& other) noexcept = default;
        Unit& operator=(Unit&& other) noexcept {
            release();
            entry_ = std::move(other.entry_);
            return *this;
        }
        ~Unit() { release(); }
        void release() noexcept;
        /// False: there is no leave.
        explicit operator bool() const noexcept { return entry_ != nullptr; }

      private:
        friend class RateGate;
        explicit Unit(std::shared_ptr<Entry> entry) noexcept : entry_{std::move(entry)} {}
        std::shared_ptr<Entry> entry_;
    };

    RateGate();
    ~RateGate();

    /// Waits until a request may be sent; `note` says why and for how long. `is_moot` (may be
    /// empty) is asked about once a second meanwhile: then it ends without leave. Throws a
    /// rate_limited Error when the host's wish or the quota's reset is further away than `longest`,
    /// operation_aborted when cancelled.
    Awaitable<Unit> pass(std::string host, hub::Token token, hub::Bucket bucket,
                         std::shared_ptr<WaitNote> note, std::chrono::seconds longest,
                         std::function<bool()> is_moot = {});

    /// Whether pass() would wait for the host's wish or for the quota's reset.
    bool is_closed(const std::string& host, const hub::Token& token, hub::Bucket bucket) const;

    /// What an answer said. A refusal holds for all requests to the host with that token.
    void observe(const hub::QuotaNews& news);

    /// Quotas that are kept in mind.
    std::size_t size() const noexcept { return entries_.size(); }

  private:
    std::shared_ptr<Entry> entry(const std::string& host, const hub::Account& account);
    void observe_one(const hub::QuotaNews& news);
    void forget_idle();

    std::map<std::string, std::shared_ptr<Entry>> entries_;
    std::size_t sweep_at_; ///< forget_idle() when there are so many
};

} // namespace wharf::scheduling
