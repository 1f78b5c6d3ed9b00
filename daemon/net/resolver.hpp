#pragma once

#include "daemon/async/event.hpp"
#include "daemon/async/loose_threads.hpp"
#include "daemon/net/connect.hpp"
#include "daemon/net/stream.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace wharf::net {

/// Finds addresses of hosts through the system's resolver, each on a thread of its own: it can
/// hang, and no name must wait for another's. What it found serves for some seconds, and askers of
/// the same name share one look-up: a pool that opens thirty connections asks once. One thread.
class Resolver {
  public:
    /// The system's look-up, or a test's: blocks, runs on any thread.
    using SystemLookup =
        std::function<Addresses(const std::string& host, boost::system::error_code& ec)>;

    explicit Resolver(Executor executor);
    Resolver(Executor executor, SystemLookup system);

    /// Look-ups that still hang are left behind.
    ~Resolver();

    /// The host's addresses in the system's order; an address is its own answer. Throws the network
    /// Error "looking up <host>: host not found". At the deadline it leaves at once, although the
    /// system's look-up cannot be stopped: that goes on, and what it finds serves the next asker.
    /// One that hangs for a minute is asked again beside it. While as many hang as there may be
    /// (most_hanging), others wait, until their deadline.
    Awaitable<Addresses> resolve(std::string host, Deadline deadline);

    /// Forgets what was found, so that the next asker sees what has changed.
    void forget() noexcept { lookups_.clear(); }

    static constexpr std::size_t most_hanging = 8;

  private:
    struct Lookup;

    SystemLookup system_;
    std::map<std::string, std::shared_ptr<Lookup>> lookups_;
    async::Event changed_; ///< a look-up has ended: shared with those that are still to come
    async::LooseThreads threads_;

    std::shared_ptr<Lookup> find_or_start(const std::string& host);
};

} // namespace wharf::net
