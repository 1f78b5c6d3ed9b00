#include "daemon/service/session.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/secret.hpp"
#include "daemon/service/dispatcher.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <optional>
#include <utility>

namespace wharf::service {

Session::Session(Executor executor, UniqueFd socket, Peer peer, bool is_allowed,
                 const Dispatcher& dispatcher, StreamShared& shared)
    : executor_{executor}, peer_{std::move(peer)},
      stream_{std::move(executor), std::move(socket), shared}, dispatcher_{dispatcher},
      is_allowed_{is_allowed} {}

Awaitable<> Session::run() {
    if (is_allowed_) {
        co_await serve();
    } else {
        co_await refuse();
    }
}

Awaitable<> Session::serve() {
    while (!finishing_ && !stream_.is_broken()) {
        std::optional<protocol::Frame> frame = co_await stream_.receive();
        if (!frame) {
            co_return;
        }
        protocol::Call call = protocol::decode_call(frame->text).value();
        std::vector<UniqueFd> descriptors = std::move(frame->descriptors);
        wipe(frame->text); // a token may be in it
        frame.reset();     // it may be long, and the call takes its time
        is_busy_ = true;
        co_await answer(std::move(call), std::move(descriptors));
        is_busy_ = false;
    }
}

/// Runs the handler until it ends, or cancels it when the client is gone. A client that wants no
/// answer may go at once; its call is carried out all the same.
Awaitable<> Session::answer(protocol::Call call, std::vector<UniqueFd> descriptors) {
    if (call.oneway) {
        co_await dispatcher_.dispatch(peer_, std::move(call), std::move(descriptors), stream_);
        co_return;
    }
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(
            executor_,
            dispatcher_.dispatch(peer_, std::move(call), std::move(descriptors), stream_),
            asio::deferred),
        stream_.async_wait_gone(asio::deferred));
    const auto [order, failure, gone] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (failure) {
        std::rethrow_exception(failure);
    }
    if (order[0] == 1) {
        finishing_ = finishing_ || !gone;
    }
}

Awaitable<> Session::refuse() {
    std::optional<protocol::Frame> frame = co_await stream_.receive_soon();
    if (!frame) {
        co_return;
    }
    const protocol::Call call = protocol::decode_call(frame->text).value();
    if (!call.oneway) {
        std::string text = protocol::encode(
            error_reply(Error{ErrorKind::forbidden, "this account may not use the daemon",
                              "ask the administrator of this machine for access"}));
        co_await stream_.send(std::move(text), {});
    }
}

void Session::finish() noexcept {
    finishing_ = true;
    if (!is_busy_) {
        stream_.stop_receiving();
    }
}

} // namespace wharf::service
