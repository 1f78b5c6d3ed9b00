#pragma once

#include "daemon/async/awaitable.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <doctest/doctest.h>

#include <chrono>
#include <exception>
#include <utility>

namespace wharf::test {

/// Runs a test's coroutine to its end on a loop of its own; fails when it hangs for `limit`.
inline void run(Awaitable<> body, asio::io_context& context,
                std::chrono::seconds limit = std::chrono::seconds{5}) {
    bool ended = false;
    std::exception_ptr failure;
    asio::co_spawn(context, std::move(body), [&](const std::exception_ptr& error) {
        ended = true;
        failure = error;
        context.stop();
    });
    context.restart();
    context.run_for(limit);
    if (failure) {
        std::rethrow_exception(failure);
    }
    REQUIRE_MESSAGE(ended, "the test's coroutine hangs");
}

inline void run(Awaitable<> body, std::chrono::seconds limit = std::chrono::seconds{5}) {
    asio::io_context context;
    run(std::move(body), context, limit);
}

} // namespace wharf::test
