#pragma once

#include <chrono>

namespace wharf::cli {

/// SIGINT and SIGTERM as a request to stop: the first is remembered and breaks the connection to
/// the daemon off, whose rule then decides about the job; the second ends the process at once. The
/// only state of the command that is global, as signal handlers must have it.
class Interrupts {
  public:
    /// Takes the two signals over and ignores SIGPIPE.
    static void install() noexcept;

    static bool requested() noexcept;

    /// From now on a signal is remembered only: whatever runs is brought to its end, and whoever
    /// loops asks `requested`.
    static void postpone() noexcept;

    /// Sleeps until then, or until a signal came: whether one did.
    static bool sleep_until(std::chrono::steady_clock::time_point end);

    /// Shuts this socket down when a signal comes, or now when one came. -1: none any more.
    static void break_off(int socket) noexcept;

    /// Throws Failure (interrupted) when a signal came.
    static void check();
};

} // namespace wharf::cli
