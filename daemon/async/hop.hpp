#pragma once

#include "daemon/async/awaitable.hpp"

#include <optional>
#include <utility>

namespace wharf::async {

/// Runs `task` on another executor and comes back to the caller's when it has ended; throws what
/// the task throws. Use these instead of awaiting asio::co_spawn across threads: there, Asio 1.26
/// sends a cancellation to the other thread as a pointer into the waiting side's memory, which is
/// gone when the task ends at that very moment.
///
/// run_on() hands the caller's cancellation on; `target` must have one thread.
Awaitable<> run_on(Executor target, Awaitable<> task);

/// Never hands a cancellation on: for work that cannot be interrupted. `target` may have many
/// threads.
Awaitable<> run_to_end_on(Executor target, Awaitable<> task);

namespace detail {

template <typename T>
Awaitable<> keep(Awaitable<T> task, std::optional<T>& result) {
    result.emplace(co_await std::move(task));
}

} // namespace detail

template <typename T>
Awaitable<T> run_on(Executor target, Awaitable<T> task) {
    std::optional<T> result;
    co_await run_on(std::move(target), detail::keep(std::move(task), result));
    co_return *std::move(result);
}

template <typename T>
Awaitable<T> run_to_end_on(Executor target, Awaitable<T> task) {
    std::optional<T> result;
    co_await run_to_end_on(std::move(target), detail::keep(std::move(task), result));
    co_return *std::move(result);
}

} // namespace wharf::async
