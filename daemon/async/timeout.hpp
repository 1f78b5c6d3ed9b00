#pragma once

#include "base/error.hpp"
#include "daemon/async/awaitable.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace wharf::async {

/// Runs `operation`, but cancels it after `limit` and throws a network Error "<what> timed out".
/// The operation has ended when this returns. For steps that start rarely; per-read deadlines have
/// their own cheap timer in net/.
template <typename T>
Awaitable<T> with_timeout(Awaitable<T> operation, std::chrono::steady_clock::duration limit,
                          std::string what) {
    using namespace asio::experimental::awaitable_operators;
    asio::steady_timer timer{co_await asio::this_coro::executor, limit};
    auto outcome = co_await (std::move(operation) || timer.async_wait(asio::use_awaitable));
    if (outcome.index() == 1) {
        throw Error{ErrorKind::network, what + " timed out"};
    }
    if constexpr (!std::is_void_v<T>) {
        co_return std::get<0>(std::move(outcome));
    }
}

} // namespace wharf::async
