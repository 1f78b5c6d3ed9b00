#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/async/foreign_fd.hpp"
#include "daemon/service/server_options.hpp"
#include "daemon/service/user_share.hpp"
#include "daemon/service/user_turns.hpp"
#include "protocol/frame.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace wharf::service {

/// What all streams of one loop share, so that a silent one costs next to nothing.
struct StreamShared {
    ServerOptions options;
    bool takes_descriptors = false; ///< otherwise the kernel drops those that clients send
    UserTurns turns;
    async::FdCloser closer; ///< of what clients send
    UserShares users;
    std::size_t bytes = 0; ///< of all users
    std::array<char, std::size_t{64} << 10>
        scratch{}; ///< what a read fills; never held over a wait
};

/// A message as it came; see protocol::Frame.
struct ReceivedMessage {
    std::string text;
    std::vector<async::ForeignFd> descriptors;
};

/// Varlink messages on one connected Unix socket. One thread; one receive() and one send() at a
/// time. Waits with deadlines; throws Error of kind network when the client missed one or is gone,
/// protocol when it sends what it must not. The connection is of no use after that.
class MessageStream {
  public:
    /// `shared` must outlive the stream, and so must the share of the client's uid in it.
    MessageStream(Executor executor, UniqueFd socket, uid_t uid, StreamShared& shared);
    ~MessageStream();

    /// The next message, when it is its uid's turn; nothing when the client has sent its last.
    /// Waits without end for its first byte. What the message before took of the budgets is free
    /// again.
    Awaitable<std::optional<ReceivedMessage>> receive();

    /// As receive(), but its first byte must come within the time for a message, too.
    Awaitable<std::optional<ReceivedMessage>> receive_soon();

    /// Waits for the uid's next turn: for before what takes long without waiting for anything.
    Awaitable<> turn() { return shared_.turns.take(uid_); }

    /// Returns when the kernel has taken all of it. `text` ends with NUL.
    Awaitable<> send(std::string text, std::vector<UniqueFd> descriptors);

    /// Sends as much as goes without waiting: for a last word to a client that is being dropped.
    void try_send(std::string_view text) noexcept;

    /// Whether a send() was ended in the middle, which leaves half a message on the line.
    bool is_broken() const noexcept { return sending_; }

    /// Waits until the client has closed the connection; sending may still be open when it has only
    /// ended its own side. Ends with operation_aborted when it is cancelled.
    template <typename Token>
    auto async_wait_gone(Token&& token) {
        return socket_.async_wait(asio::posix::descriptor_base::wait_error,
                                  std::forward<Token>(token));
    }

    /// Makes receive() find the end. What was sent before is still received.
    void stop_receiving() noexcept;

  private:
    using Clock = std::chrono::steady_clock;

    Awaitable<> wait_for_input();
    void read_some();
    std::optional<ReceivedMessage> next();
    Awaitable<> wait(asio::posix::descriptor_base::wait_type what,
                     std::optional<Clock::time_point> deadline, const char* late);
    void hold(std::size_t bytes, std::size_t descriptors);

    asio::posix::stream_descriptor socket_;
    uid_t uid_;
    StreamShared& shared_;
    UserShare& share_;
    protocol::FrameReader reader_;
    std::optional<Clock::time_point> message_deadline_; ///< by when the next message must be here
    std::size_t bytes_ = 0;       ///< our part of what the share and all shares have
    std::size_t descriptors_ = 0; ///< the same
    std::size_t in_hand_ = 0;     ///< bytes of the message last received
    bool ended_ = false;          ///< the client has sent its last
    bool sending_ = false;
};

} // namespace wharf::service
