#include "daemon/net/connect.hpp"

#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"
#include "daemon/net/socket.hpp"

#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <list>
#include <optional>

namespace wharf::net {

namespace {

using Clock = std::chrono::steady_clock;
using asio::ip::tcp;

constexpr std::size_t most_addresses = 16;

/// Attempts under way and what became of those that ended. Shared with the handlers of attempts,
/// which may come after nobody waits any more.
class Race : public std::enable_shared_from_this<Race> {
  public:
    void start(const Executor& executor, const tcp::endpoint& endpoint, Clock::time_point until) {
        const auto attempt = attempts_.emplace(attempts_.end(), tcp::socket{executor}, until);
        attempt->socket.async_connect(
            endpoint, [self = shared_from_this(), attempt](const boost::system::error_code& ec) {
                self->ended(attempt, ec);
            });
    }

    std::size_t running() const noexcept { return attempts_.size(); }
    std::optional<tcp::socket>& winner() noexcept { return winner_; }
    const std::optional<boost::system::error_code>& failure() const noexcept { return failure_; }
    async::Event& changed() noexcept { return changed_; }

    /// Gives up on the attempts whose time is over; their handlers follow.
    void expire() {
        for (auto& attempt : attempts_) {
            if (attempt.until <= Clock::now() && !attempt.expired) {
                attempt.expired = true;
                boost::system::error_code ignored;
                attempt.socket.close(ignored);
            }
        }
    }

    /// When expire() has work to do next.
    Clock::time_point next_expiry() const noexcept {
        auto next = Clock::time_point::max();
        for (const auto& attempt : attempts_) {
            next = attempt.expired ? next : std::min(next, attempt.until);
        }
        return next;
    }

    /// Ends everything. Handlers that are still to come find nothing to do.
    void stop() {
        stopped_ = true;
        for (auto& attempt : attempts_) {
            boost::system::error_code ignored;
            attempt.socket.close(ignored);
        }
    }

  private:
    struct Attempt {
        Attempt(tcp::socket s, Clock::time_point u) : socket{std::move(s)}, until{u} {}
        tcp::socket socket;
        Clock::time_point until;
        bool expired = false;
    };

    std::list<Attempt> attempts_;
    std::optional<tcp::socket> winner_;
    std::optional<boost::system::error_code> failure_; ///< the one that tells most so far
    async::Event changed_;
    bool stopped_ = false;

    /// An address that cannot be reached from here at all (no IPv6, say) tells nothing of the peer.
    static bool is_local(const boost::system::error_code& ec) noexcept {
        return ec == asio::error::network_unreachable ||
               ec == asio::error::address_family_not_supported ||
               ec == boost::system::errc::address_not_available;
    }

    void ended(std::list<Attempt>::iterator attempt, boost::system::error_code ec) {
        if (attempt->expired) {
            ec = asio::error::timed_out;
        }
        if (!ec && !winner_ && !stopped_) {
            winner_ = std::move(attempt->socket);
        } else if (ec && (!failure_ || is_local(*failure_))) {
            failure_ = ec;
        }
        attempts_.erase(attempt);
        changed_.notify_all();
    }
};

Error failed(const boost::system::error_code& ec, const ConnectLimits& limits,
             const std::string& peer) {
    if (ec == asio::error::timed_out) {
        return Deadline::after(limits.per_address, "connecting to").error(peer);
    }
    return Error{ErrorKind::network, fmt::format("connecting to {}: {}", peer, describe(ec))};
}

} // namespace

Addresses alternate_families(const Addresses& addresses) {
    Addresses first;
    Addresses second;
    for (const auto& address : addresses) {
        auto& family = address.is_v6() == addresses.front().is_v6() ? first : second;
        family.push_back(address);
    }
    Addresses result;
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
        for (const auto* family : {&first, &second}) {
            if (i < family->size() && result.size() < most_addresses) {
                result.push_back((*family)[i]);
            }
        }
    }
    return result;
}

Awaitable<tcp::socket> connect_any(Addresses addresses, std::uint16_t port, ConnectLimits limits,
                                   std::string peer) {
    assert(!addresses.empty());
    const Executor executor = co_await asio::this_coro::executor;
    const auto race = std::make_shared<Race>();
    const ScopeExit leave{[&race]() noexcept { race->stop(); }};
    std::size_t next = 0;
    auto next_start = Clock::now();
    while (!race->winner()) {
        const bool due = race->running() == 0 || Clock::now() >= next_start;
        if (next < addresses.size() && due) {
            race->start(executor, {addresses[next++], port}, Clock::now() + limits.per_address);
            next_start = Clock::now() + limits.head_start;
        } else if (race->running() == 0) {
            throw failed(race->failure().value(), limits, peer);
        }
        race->expire();
        const auto more = next < addresses.size() ? next_start : Clock::time_point::max();
        const auto wake = std::min(more, race->next_expiry());
        if (wake == Clock::time_point::max()) {
            co_await race->changed().wait();
        } else {
            static_cast<void>(co_await race->changed().wait_for(wake - Clock::now()));
        }
    }
    co_return std::move(*race->winner());
}

} // namespace wharf::net
