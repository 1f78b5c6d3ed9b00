#pragma once

#include <exception>

namespace wharf::async {

/// Whether an exception is the end of a task that somebody asked to stop, and no failure: what
/// waits throw when their task is cancelled, or an Error of kind cancelled. Requires: not null.
bool is_cancellation(const std::exception_ptr& failure) noexcept;

} // namespace wharf::async
