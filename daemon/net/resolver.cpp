#include "daemon/net/resolver.hpp"

#include "daemon/net/socket.hpp"

#include <boost/asio/io_context.hpp>
#include <fmt/format.h>

namespace wharf::net {

namespace {

using Clock = std::chrono::steady_clock;
using asio::ip::tcp;

/// Long enough for one burst of connections, short enough to follow a failover by DNS.
constexpr auto found_serves = std::chrono::seconds{10};

/// The C library gives up by itself after 5 s for each server and attempt (resolv.conf(5)); who
/// still has no answer by then asked before the network was there.
constexpr auto hangs_after = std::chrono::seconds{60};

Addresses ask_system(const std::string& host, boost::system::error_code& ec) {
    asio::io_context unused; // the look-up blocks, and needs none
    tcp::resolver resolver{unused};
    Addresses found;
    for (const auto& entry : resolver.resolve(host, "", ec)) {
        found.push_back(entry.endpoint().address());
    }
    return found;
}

} // namespace

/// Shared with the thread that asks, and those who wait.
struct Resolver::Lookup {
    /// Whether a new asker may take this one: it runs, or has found something not long ago.
    bool serves() const {
        const auto now = Clock::now();
        return ended ? !ec && now - ended_at < found_serves : now - started_at < hangs_after;
    }

    bool ended = false;
    boost::system::error_code ec;
    Addresses found;
    Clock::time_point started_at = Clock::now();
    Clock::time_point ended_at;
};

Resolver::Resolver(Executor executor) : Resolver{std::move(executor), ask_system} {}

Resolver::Resolver(Executor executor, SystemLookup system)
    : system_{std::move(system)}, threads_{std::move(executor), most_hanging} {}

Resolver::~Resolver() = default;

/// Null when too many look-ups hang to start another.
std::shared_ptr<Resolver::Lookup> Resolver::find_or_start(const std::string& host) {
    std::erase_if(lookups_, [](const auto& entry) { return !entry.second->serves(); });
    if (const auto known = lookups_.find(host); known != lookups_.end()) {
        return known->second;
    }
    const auto lookup = std::make_shared<Lookup>();
    const bool started = threads_.start([this, lookup, host, system = system_] {
        boost::system::error_code ec;
        Addresses found = system(host, ec);
        return [this, lookup, ec, found = std::move(found)] { // only while we are there
            lookup->ended = true;
            lookup->ended_at = Clock::now();
            lookup->ec = ec;
            lookup->found = found;
            changed_.notify_all();
        };
    });
    if (!started) {
        return nullptr;
    }
    lookups_[host] = lookup;
    return lookup;
}

Awaitable<Addresses> Resolver::resolve(std::string host, Deadline deadline) {
    boost::system::error_code not_an_address;
    const auto address = asio::ip::make_address(host, not_an_address);
    if (!not_an_address) {
        co_return Addresses{address};
    }
    auto lookup = find_or_start(host);
    while (!lookup || !lookup->ended) {
        if (deadline.has_passed()) {
            throw deadline.error(host);
        }
        static_cast<void>(co_await changed_.wait_for(deadline.at - Clock::now()));
        lookup = lookup ? lookup : find_or_start(host);
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
