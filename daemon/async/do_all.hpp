#pragma once

#include "daemon/async/awaitable.hpp"

#include <cstddef>
#include <functional>
#include <string>

namespace wharf::async {

/// Awaits `one(0)` to `one(count - 1)`: begun in that order, at most `at_once` at the same time, as
/// tasks of that name. After one that throws no more are begun, those under way are cancelled, and
/// what it threw is rethrown; likewise when the caller is cancelled. None of them is left at the
/// end, so they may refer to what lives in the caller's frame.
Awaitable<> do_all(std::string name, std::size_t count, std::size_t at_once,
                   std::function<Awaitable<>(std::size_t)> one);

} // namespace wharf::async
