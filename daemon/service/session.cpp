#include "daemon/service/session.hpp"

#include "base/error.hpp"
#include "base/scope_exit.hpp"
#include "base/secret.hpp"
#include "daemon/service/dispatcher.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <exception>
#include <optional>
#include <utility>

namespace wharf::service {

Session::Session(Executor executor, UniqueFd socket, access::Peer peer, const Admit& admit,
                 bool is_stranger, const Dispatcher& dispatcher, StreamShared& shared)
    : executor_{executor}, peer_{std::move(peer)},
      stream_{std::move(executor), std::move(socket), peer_.uid, shared}, admit_{admit},
      is_stranger_{is_stranger}, dispatcher_{dispatcher}, shared_{shared} {}

Awaitable<> Session::run() {
    while (!finishing_ && !stream_.is_broken()) {
        std::optional<ReceivedMessage> message;
        if (is_stranger_) {
            message = co_await stream_.receive_soon();
        } else {
            message = co_await stream_.receive();
        }
        if (!message) {
            co_return;
        }
        protocol::Call call = protocol::decode_call(message->text).value();
        std::vector<async::ForeignFd> descriptors = std::move(message->descriptors);
        wipe(message->text); // a token may be in it
        message.reset();     // it may be long, and the call takes its time
        is_busy_ = true;
        co_await serve(std::move(call), std::move(descriptors));
        is_busy_ = false;
    }
}

/// Answers one call of somebody who may call, and has not too many of them running.
Awaitable<> Session::serve(protocol::Call call, std::vector<async::ForeignFd> descriptors) {
    access::Rights rights;
    std::optional<Error> refusal;
    try {
        rights = admit_(peer_);
    } catch (const Error& error) { // told below: nothing can be awaited in here
        refusal = error;
    }
    if (refusal) {
        finishing_ = true;
        co_await refuse(call, *std::move(refusal));
        co_return;
    }
    std::size_t& running = shared_.users.at(peer_.uid).calls;
    const bool counts = dispatcher_.may_take_long(call.method);
    const std::size_t most = shared_.options.max_calls_per_user;
    if (counts && running >= most) {
        co_await refuse(
            call,
            Error{ErrorKind::forbidden,
                  fmt::format("this account has {} calls waiting, the most it may have", running),
                  "wait until some are answered; `wharf download --detach` does not "
                  "wait"});
        co_return;
    }
    running += counts ? 1 : 0;
    const ScopeExit leave{[&running, counts] { running -= counts ? 1 : 0; }};
    co_await answer(rights, std::move(call), std::move(descriptors));
}

/// Runs the handler until it ends, or cancels it when the client is gone. A client that wants no
/// answer may go at once; its call is carried out all the same.
Awaitable<> Session::answer(access::Rights rights, protocol::Call call,
                            std::vector<async::ForeignFd> descriptors) {
    const Caller caller{peer_, rights};
    if (call.oneway) {
        co_await dispatcher_.dispatch(caller, std::move(call), std::move(descriptors), stream_);
        co_return;
    }
    auto group = asio::experimental::make_parallel_group(
        asio::co_spawn(
            executor_,
            dispatcher_.dispatch(caller, std::move(call), std::move(descriptors), stream_),
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

Awaitable<> Session::refuse(const protocol::Call& call, Error why) {
    if (!call.oneway) {
        std::string text = protocol::encode(error_reply(why));
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
