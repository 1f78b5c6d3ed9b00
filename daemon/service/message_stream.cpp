#include "daemon/service/message_stream.hpp"

#include "base/error.hpp"
#include "base/secret.hpp"
#include "protocol/fd_passing.hpp"

#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <sys/socket.h>
#include <system_error>
#include <utility>

// A stream that waits for its client holds no buffer: it waits until the socket is readable, and
// then reads through the scratch buffer of the loop. Only the part of a message that has come so
// far is kept, for a limited time and within budgets for its uid and for all streams together.
// Nothing is read while a call is answered, so a client that sends without pause fills the kernel's
// queue, not ours.

namespace wharf::service {

namespace {

Error lost(int error_number) {
    return Error{ErrorKind::network,
                 "the client is gone: " + std::generic_category().message(error_number)};
}

} // namespace

MessageStream::MessageStream(Executor executor, UniqueFd socket, uid_t uid, StreamShared& shared)
    : socket_{std::move(executor)}, uid_{uid}, shared_{shared}, share_{shared.users.at(uid)},
      reader_{shared.options.message_limit} {
    socket_.assign(socket.value());
    socket.release();
}

MessageStream::~MessageStream() {
    shared_.bytes -= bytes_;
    share_.bytes -= bytes_;
    share_.descriptors -= descriptors_;
    for (auto& fd : reader_.take_descriptors()) {
        shared_.closer.own(std::move(fd), uid_).reset();
    }
}

/// The next whole one of those that have come.
std::optional<ReceivedMessage> MessageStream::next() {
    std::optional<protocol::Frame> frame = reader_.next().value();
    if (!frame) {
        return std::nullopt;
    }
    ReceivedMessage message{std::move(frame->text), {}};
    for (auto& fd : frame->descriptors) {
        message.descriptors.push_back(shared_.closer.own(std::move(fd), uid_));
    }
    return message;
}

Awaitable<std::optional<ReceivedMessage>> MessageStream::receive() {
    in_hand_ = 0;
    if (reader_.buffered() > 0) { // of it, or more, came with the message before
        co_await turn();
    }
    while (true) {
        std::optional<ReceivedMessage> message = next();
        in_hand_ = message ? message->text.size() : 0;
        hold(reader_.buffered() + in_hand_,
             reader_.descriptors() + (message ? message->descriptors.size() : 0));
        if (message) {
            message_deadline_.reset();
            co_return message;
        }
        if (ended_) {
            co_return std::nullopt;
        }
        co_await wait_for_input();
        co_await turn();
        read_some();
    }
}

Awaitable<std::optional<ReceivedMessage>> MessageStream::receive_soon() {
    message_deadline_ = Clock::now() + shared_.options.message_timeout;
    std::optional<ReceivedMessage> message = co_await receive();
    co_return message;
}

Awaitable<> MessageStream::wait_for_input() {
    if (reader_.has_partial() && !message_deadline_) {
        message_deadline_ = Clock::now() + shared_.options.message_timeout;
    }
    co_await wait(asio::posix::descriptor_base::wait_read, message_deadline_,
                  "the client does not send the message it owes");
}

void MessageStream::read_some() {
    std::vector<UniqueFd> descriptors;
    const protocol::IoResult result =
        protocol::receive_some(socket_.native_handle(), shared_.scratch,
                               shared_.takes_descriptors ? &descriptors : nullptr);
    if (result.error_number == EAGAIN) {
        return;
    }
    if (result.error_number != 0) {
        throw lost(result.error_number);
    }
    ended_ = result.bytes == 0;
    reader_.append({shared_.scratch.data(), result.bytes}, std::move(descriptors));
    wipe(shared_.scratch.data(), result.bytes); // a token may be in it
}

/// Brings our parts of the sums up to date, and ends the connection that is one too much for them.
void MessageStream::hold(std::size_t bytes, std::size_t descriptors) {
    const bool grown = bytes > bytes_;
    const bool brings_more = descriptors > descriptors_;
    shared_.bytes += bytes - bytes_; // modulo 2^64, so it may shrink as well
    share_.bytes += bytes - bytes_;
    share_.descriptors += descriptors - descriptors_;
    bytes_ = bytes;
    descriptors_ = descriptors;
    const auto& options = shared_.options;
    const bool is_long = bytes > shared_.scratch.size();
    if (grown && is_long && shared_.bytes > options.buffer_budget) {
        throw Error{ErrorKind::protocol, "more is on its way than this daemon has room for"};
    }
    if (grown && share_.bytes > options.buffer_budget_per_user) {
        throw Error{ErrorKind::protocol, "more is on its way for this account than it may have"};
    }
    if (brings_more &&
        share_.descriptors + shared_.closer.open(uid_) > options.max_descriptors_per_user) {
        throw Error{ErrorKind::protocol, "this account sends more descriptors than it may"};
    }
}

Awaitable<> MessageStream::send(std::string text, std::vector<UniqueFd> descriptors) {
    assert(!sending_);
    sending_ = true; // stays so when we are cancelled or fail in between
    const std::size_t before = bytes_;
    std::string_view rest = text;
    // Reading a byte now and then is not reading: an answer that nobody takes has an end, too.
    const auto latest = Clock::now() + shared_.options.time_to_read(text.size());
    auto deadline = Clock::now() + shared_.options.write_timeout;
    while (!rest.empty()) {
        const protocol::IoResult result =
            protocol::send_some(socket_.native_handle(), rest, descriptors);
        if (result.error_number == 0) {
            descriptors.clear();
            rest.remove_prefix(result.bytes);
            deadline = std::min(latest, Clock::now() + shared_.options.write_timeout);
        } else if (result.error_number == EAGAIN) {
            hold(before + text.size(), descriptors_);
            co_await wait(asio::posix::descriptor_base::wait_write, deadline,
                          "the client does not read what it asked for");
        } else {
            throw lost(result.error_number);
        }
    }
    sending_ = false;
    hold(before, descriptors_);
}

void MessageStream::try_send(std::string_view text) noexcept {
    if (!sending_ && !text.empty()) {
        const auto result = protocol::send_some(socket_.native_handle(), text);
        sending_ = result.bytes < text.size();
    }
}

void MessageStream::stop_receiving() noexcept {
    ::shutdown(socket_.native_handle(), SHUT_RD); // fails when the client is gone: good as well
}

Awaitable<> MessageStream::wait(asio::posix::descriptor_base::wait_type what,
                                std::optional<Clock::time_point> deadline, const char* late) {
    boost::system::error_code ec;
    if (!deadline) {
        co_await socket_.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
    } else {
        asio::steady_timer timer{socket_.get_executor(), *deadline};
        auto group = asio::experimental::make_parallel_group(
            socket_.async_wait(what, asio::deferred), timer.async_wait(asio::deferred));
        const auto [order, socket_ec, timer_ec] =
            co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        if (order[0] == 1 && !timer_ec) {
            throw Error{ErrorKind::network, late};
        }
        ec = socket_ec;
    }
    if (ec) {
        throw boost::system::system_error{ec};
    }
}

} // namespace wharf::service
