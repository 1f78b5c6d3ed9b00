#include "daemon/net/resolver.hpp"

#include "daemon/async/event.hpp"
#include "daemon/net/socket.hpp"

#include <fmt/format.h>

namespace wharf::net {

namespace {

using Clock = std::chrono::steady_clock;
using asio::ip::tcp;

/// Long enough for one burst of connections, short enough to follow a failover by DNS.
constexpr auto found_serves = std::chrono::seconds{10};

} // namespace

/// Shared with its handler, which comes when the system's look-up ends, wanted or not.
struct Resolver::Lookup {
    explicit Lookup(const Executor& executor) : resolver{executor} {}

    /// Whether a new asker may take this one: it runs, or has found something not long ago.
    bool serves() const { return !ended || (!ec && Clock::now() - ended_at < found_serves); }

    tcp::resolver resolver;
    async::Event done;
    bool ended = false;
    boost::system::error_code ec;
    Addresses found;
    Clock::time_point ended_at;
};

Resolver::Resolver(Executor executor) : executor_{std::move(executor)} {}

Resolver::~Resolver() = default;

std::shared_ptr<Resolver::Lookup> Resolver::find_or_start(const std::string& host) {
    std::erase_if(lookups_, [](const auto& entry) { return !entry.second->serves(); });
    auto& lookup = lookups_[host];
    if (!lookup) {
        lookup = std::make_shared<Lookup>(executor_);
        lookup->resolver.async_resolve(
            host, "",
            [lookup = lookup](const boost::system::error_code& ec,
                              const tcp::resolver::results_type& results) {
                lookup->ended = true;
                lookup->ended_at = Clock::now();
                lookup->ec = ec;
                for (const auto& entry : results) {
                    lookup->found.push_back(entry.endpoint().address());
                }
                lookup->done.notify_all();
            });
    }
    return lookup;
}

Awaitable<Addresses> Resolver::resolve(std::string host, Deadline deadline) {
    boost::system::error_code not_an_address;
    const auto address = asio::ip::make_address(host, not_an_address);
    if (!not_an_address) {
        co_return Addresses{address};
    }
    const auto lookup = find_or_start(host);
    while (!lookup->ended) {
        if (deadline.has_passed()) {
            throw deadline.error(host);
        }
        static_cast<void>(co_await lookup->done.wait_for(deadline.at - Clock::now()));
    }
    if (lookup->ec || lookup->found.empty()) {
        Error failed{ErrorKind::network,
                     fmt::format("looking up {}: {}", host,
                                 lookup->ec ? describe(lookup->ec) : "it has no address"),
                     "check the host's name and this machine's DNS"};
        // Unlike "try again" (EAI_AGAIN), which no answer from the name servers is.
        if (lookup->ec == asio::error::host_not_found || lookup->ec == asio::error::no_data) {
            failed.set_lasting();
        }
        throw failed;
    }
    co_return lookup->found;
}

} // namespace wharf::net
