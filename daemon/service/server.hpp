#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/service/listener.hpp"
#include "daemon/service/log_limit.hpp"
#include "daemon/service/message_stream.hpp"
#include "daemon/service/server_options.hpp"
#include "daemon/service/session.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace wharf::service {

class Dispatcher;

/// The daemon's end of the Unix socket: listeners and the sessions of those who connected. All
/// calls on the executor's one thread.
class Server {
  public:
    /// `dispatcher` must outlive the server and be filled already.
    Server(Executor executor, const Dispatcher& dispatcher, ServerOptions options, Admit admit);

    /// Requires: drain() has returned, or the executor will not run again.
    ~Server();

    /// Starts to accept connections.
    void listen(ListeningSocket socket);

    /// Serves a connected socket.
    void serve(UniqueFd connection) noexcept;

    /// Refuses new connections and takes the sockets out of the file system.
    void stop_accepting() noexcept;

    /// Stops accepting, closes sessions that have nothing running, lets the others end their call
    /// until `limit` has passed, and then cancels them. No session is left when it returns.
    Awaitable<> drain(std::chrono::milliseconds limit);

    std::size_t connections() const noexcept { return places_; }

  private:
    /// One of the connections that the options allow; taken for as long as it lives.
    class Place;

    std::optional<Error> no_room(uid_t uid) const;
    void turn_away(UniqueFd connection, uid_t uid, const Error& why);
    Awaitable<> run_session(UniqueFd connection, access::Peer peer, bool is_stranger, Place place);
    void log_dropped(const access::Peer& peer, std::string_view why) noexcept;

    Executor executor_;
    const Dispatcher& dispatcher_;
    Admit admit_;
    StreamShared shared_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::unordered_set<Session*> sessions_; ///< they live in their tasks
    std::size_t places_ = 0;                ///< that are taken
    std::size_t strangers_ = 0;             ///< of them
    bool draining_ = false;
    async::Event session_ended_;
    LogLimit turned_away_limit_;
    LogLimit dropped_limit_;
    async::TaskGroup accepting_;
    async::TaskGroup tasks_; ///< last: its tasks use all of the above
};

} // namespace wharf::service
