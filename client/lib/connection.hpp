#pragma once

#include "base/unique_fd.hpp"
#include "client/lib/errors.hpp"
#include "protocol/frame.hpp"
#include "protocol/message.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::client {

/// One answer.
struct Reply {
    boost::json::object parameters;
    bool continues = false; ///< others follow
    std::vector<UniqueFd> descriptors;
};

/// How a call is made.
struct CallOptions {
    /// Sent along; parameters name them by index. At most `protocol::descriptor_limit`.
    std::vector<UniqueFd> descriptors;
    /// How long the daemon may say nothing. Not set: as long as it likes, it may be waiting for a
    /// Hub that asked it to.
    std::optional<std::chrono::milliseconds> silence_limit;
    /// A descriptor to look at as well, such as a signalfd. `on_watched` is called whenever it is
    /// readable; what it throws ends the call. -1: none.
    int watched_fd = -1;
    std::function<void()> on_watched;
};

/// A connection to the daemon. Blocking; one call at a time, on one thread. Raises no signal. A
/// call that ended with any exception but RemoteError leaves the connection closed.
class Connection {
  public:
    /// Connects. Throws DaemonUnreachable.
    explicit Connection(const std::string& path);

    /// Talks through a socket that is connected. `name` is for messages.
    Connection(UniqueFd socket, std::string name);

    /// One call with one answer. Throws RemoteError when that is an error, DaemonUnreachable when
    /// the daemon is gone or silent for too long, Error of kind protocol when it answers nonsense.
    Reply call(std::string_view method, boost::json::object parameters = {},
               CallOptions options = {});

    /// One call with as many answers as there are: each is handed on, the last one included. What
    /// `on_reply` throws ends the call, and the connection with it. Throws as call() does.
    void call_more(std::string_view method, boost::json::object parameters,
                   const std::function<void(Reply)>& on_reply, CallOptions options = {});

    /// A call whose answer nobody waits for. Returns when it is sent.
    void call_oneway(std::string_view method, boost::json::object parameters = {},
                     CallOptions options = {});

    /// Borrowed; a signal handler may shutdown() it, which ends the call that runs.
    int fd() const noexcept { return socket_.value(); }

  private:
    using Clock = std::chrono::steady_clock;

    struct Answer {
        protocol::Reply message;
        std::vector<UniqueFd> descriptors;
        bool is_last() const noexcept { return !message.continues || !message.error.empty(); }
    };

    /// False: the daemon has closed the connection, and may have said why before.
    bool send(protocol::Call call, const CallOptions& options);
    Answer receive(const CallOptions& options);
    static Reply checked(Answer answer);
    void wait(short events, const CallOptions& options, Clock::time_point since);
    [[noreturn]] void lose(std::string_view why) const;

    UniqueFd socket_;
    std::string name_;
    protocol::FrameReader reader_;
};

} // namespace wharf::client
