#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/async/foreign_fd.hpp"
#include "daemon/service/call.hpp"
#include "daemon/service/message_stream.hpp"
#include "protocol/message.hpp"

#include <functional>
#include <vector>

namespace wharf::service {

class Dispatcher;

/// What somebody may do now. Throws what to tell him when he may not even connect.
using Admit = std::function<access::Rights(const access::Peer&)>;

/// One client's connection: takes its calls in order, one at a time. One thread.
class Session {
  public:
    /// `admit` is asked for every call; who is not admitted is told so, and that is the end. A
    /// stranger, whom nothing else can be expected of, has to call soon. The references must
    /// outlive the session.
    Session(Executor executor, UniqueFd socket, access::Peer peer, const Admit& admit,
            bool is_stranger, const Dispatcher& dispatcher, StreamShared& shared);

    /// Serves until the client has gone or is dropped. Throws Error, as MessageStream does, when it
    /// is dropped.
    Awaitable<> run();

    /// Ends run() at once when the client waits for nothing, else after the call that is running.
    void finish() noexcept;

    const access::Peer& peer() const noexcept { return peer_; }

  private:
    Awaitable<> serve(protocol::Call call, std::vector<async::ForeignFd> descriptors);
    Awaitable<> answer(access::Rights rights, protocol::Call call,
                       std::vector<async::ForeignFd> descriptors);
    Awaitable<> refuse(const protocol::Call& call, Error why);

    Executor executor_;
    access::Peer peer_;
    MessageStream stream_;
    const Admit& admit_;
    bool is_stranger_;
    const Dispatcher& dispatcher_;
    StreamShared& shared_;
    bool is_busy_ = false;
    bool finishing_ = false;
};

} // namespace wharf::service
