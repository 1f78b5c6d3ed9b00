#pragma once

#include "daemon/scheduling/connections.hpp"
#include "daemon/scheduling/rate_gate.hpp"

#include <chrono>
#include <functional>
#include <memory>

namespace wharf::scheduling {

/// Leave to move a file's bytes now: by the host's patience, and by who gets a connection.
struct Turn {
    RateGate::Unit leave;
    Connections::Permit connection;
};

/// Waits for both; `token`, `note`, `longest` and `is_moot` as RateGate::pass() has them. Requires:
/// gate and connections outlive this. Control thread.
Awaitable<Turn> wait_for_turn(RateGate& gate, Connections& connections, Connections::Claim claim,
                              hub::Token token, std::shared_ptr<WaitNote> note,
                              std::chrono::seconds longest, std::function<bool()> is_moot = {});

} // namespace wharf::scheduling
