#pragma once

#include "daemon/async/awaitable.hpp"

#include <chrono>
#include <functional>

namespace wharf::service {

/// How often progress is told: smooth for a person, nothing for the daemon.
inline constexpr std::chrono::milliseconds progress_period{200};

/// Runs `work` to its end, and `tell` at every period until then. A client that reads slowly is
/// told less often, and nothing is kept for it: `tell` looks at the state when it is called, and is
/// not called again before it has returned. Throws what either throws; `work` has ended in any
/// case, so it may refer to things in the caller's frame.
Awaitable<> run_telling(Awaitable<> work, std::function<Awaitable<>()> tell,
                        std::chrono::milliseconds period = progress_period);

} // namespace wharf::service
