#pragma once

#include "daemon/net/connect.hpp"
#include "daemon/net/stream.hpp"

#include <map>
#include <memory>
#include <string>

namespace wharf::net {

/// Finds addresses of hosts through the system's resolver, which runs on a thread of its own. What
/// it found serves for some seconds, and askers of the same name share one look-up: a pool that
/// opens thirty connections asks once. One thread.
class Resolver {
  public:
    explicit Resolver(Executor executor);
    ~Resolver();

    /// The host's addresses in the system's order; an address is its own answer. Throws the network
    /// Error "looking up <host>: host not found". At the deadline it leaves at once, although the
    /// system's look-up cannot be stopped.
    Awaitable<Addresses> resolve(std::string host, Deadline deadline);

    /// Forgets what was found, so that the next asker sees what has changed.
    void forget() noexcept { lookups_.clear(); }

  private:
    struct Lookup;

    Executor executor_;
    std::map<std::string, std::shared_ptr<Lookup>> lookups_;

    std::shared_ptr<Lookup> find_or_start(const std::string& host);
};

} // namespace wharf::net
