#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/service/message_stream.hpp"
#include "daemon/access/peer.hpp"
#include "protocol/message.hpp"

#include <vector>

namespace wharf::service {

class Dispatcher;

/// One client's connection: takes its calls in order, one at a time. One thread.
class Session {
  public:
    /// One that is not allowed gets Forbidden for its first call, and then the end. The references
    /// must outlive the session.
    Session(Executor executor, UniqueFd socket, Peer peer, bool is_allowed,
            const Dispatcher& dispatcher, StreamShared& shared);

    /// Serves until the client has gone or is dropped. Throws Error, as MessageStream does, when it
    /// is dropped.
    Awaitable<> run();

    /// Ends run() at once when the client waits for nothing, else after the call that is running.
    void finish() noexcept;

    const Peer& peer() const noexcept { return peer_; }

  private:
    Awaitable<> serve();
    Awaitable<> refuse();
    Awaitable<> answer(protocol::Call call, std::vector<UniqueFd> descriptors);

    Executor executor_;
    Peer peer_;
    MessageStream stream_;
    const Dispatcher& dispatcher_;
    bool is_allowed_;
    bool is_busy_ = false;
    bool finishing_ = false;
};

} // namespace wharf::service
