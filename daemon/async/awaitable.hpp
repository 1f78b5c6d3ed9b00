#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

namespace wharf {

namespace asio = boost::asio;

/// What every coroutine of the daemon returns.
template <typename T = void>
using Awaitable = asio::awaitable<T>;

using Executor = asio::any_io_executor;

} // namespace wharf
