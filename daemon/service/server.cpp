#include "daemon/service/server.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/service/dispatcher.hpp"
#include "protocol/fd_passing.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <utility>

namespace wharf::service {

namespace {

/// What somebody is told who may not connect; none if he may.
std::optional<Error> refusal_of(const Admit& admit, const access::Peer& peer) {
    try {
        admit(peer);
        return std::nullopt;
    } catch (const Error& error) {
        return error;
    }
}

} // namespace

class Server::Place {
  public:
    Place(Server& server, uid_t uid, bool is_stranger)
        : server_{&server}, uid_{uid}, is_stranger_{is_stranger} {
        ++server_->shared_.users[uid_].connections;
        ++server_->places_;
        server_->strangers_ += is_stranger_ ? 1 : 0;
    }
    Place(Place&& other) noexcept
        : server_{std::exchange(other.server_, nullptr)}, uid_{other.uid_},
          is_stranger_{other.is_stranger_} {}
    Place& operator=(Place&&) = delete;
    ~Place() {
        if (server_ == nullptr) {
            return;
        }
        const auto share = server_->shared_.users.find(uid_);
        if (--share->second.connections == 0) {
            server_->shared_.users.erase(share);
        }
        --server_->places_;
        server_->strangers_ -= is_stranger_ ? 1 : 0;
        server_->session_ended_.notify_all();
    }

  private:
    Server* server_; ///< null: moved from
    uid_t uid_;
    bool is_stranger_;
};

Server::Server(Executor executor, const Dispatcher& dispatcher, ServerOptions options, Admit admit)
    : executor_{executor}, dispatcher_{dispatcher}, admit_{std::move(admit)},
      shared_{options,
              dispatcher.takes_descriptors(),
              UserTurns{executor},
              async::FdCloser{executor},
              {},
              0,
              {}},
      accepting_{executor}, tasks_{executor} {}

Server::~Server() = default;

void Server::listen(ListeningSocket socket) {
    listeners_.push_back(
        std::make_unique<Listener>(executor_, std::move(socket),
                                   [this](UniqueFd connection) { serve(std::move(connection)); }));
    accepting_.spawn("accept", listeners_.back()->run());
}

void Server::serve(UniqueFd connection) noexcept {
    try {
        access::Peer peer = access::peer_of(connection.value());
        const std::optional<Error> unwelcome = refusal_of(admit_, peer);
        const bool is_stranger = unwelcome.has_value();
        if (draining_) {
            return;
        }
        if (const auto why = no_room(peer.uid)) {
            turn_away(std::move(connection), peer.uid, *why);
        } else if (is_stranger && strangers_ >= shared_.options.max_strangers) {
            turn_away(std::move(connection), peer.uid, *unwelcome);
        } else {
            Place place{*this, peer.uid, is_stranger};
            tasks_.spawn("session", run_session(std::move(connection), std::move(peer), is_stranger,
                                                std::move(place)));
        }
    } catch (const std::exception& error) { // this client is lost, the others are not
        log::error("service", "cannot serve a connection: {}", error.what());
    }
}

/// Why there is no room for another connection of the uid; none if there is.
std::optional<Error> Server::no_room(uid_t uid) const {
    const auto share = shared_.users.find(uid);
    const std::size_t used = share == shared_.users.end() ? 0 : share->second.connections;
    const std::size_t most = shared_.options.connections_per_user();
    if (used >= most) {
        return Error{ErrorKind::forbidden,
                     fmt::format("this account has {} connections to the daemon, the most it may "
                                 "have",
                                 used),
                     "close some, or ask the administrator to raise [daemon] "
                     "max_clients_per_user"};
    }
    if (places_ >= shared_.options.max_connections) {
        return Error{ErrorKind::forbidden,
                     fmt::format("the daemon has {} connections, the most it may have", places_),
                     "try again later, or ask the administrator to raise [daemon] max_clients"};
    }
    return std::nullopt;
}

/// Says why before it is asked anything, which does for an answer to the first call; nothing is
/// kept for somebody whom there is no room for.
void Server::turn_away(UniqueFd connection, uid_t uid, const Error& why) {
    protocol::send_some(connection.value(), protocol::encode(error_reply(why)));
    if (turned_away_limit_.allow()) {
        log::warning("service", "turning uid {} away: {}; and {} others before", uid, why.message(),
                     turned_away_limit_.skipped());
    }
}

Awaitable<> Server::run_session(UniqueFd connection, access::Peer peer, bool is_stranger, Place) {
    if (draining_) {
        co_return;
    }
    Session session{executor_,   std::move(connection), std::move(peer), admit_,
                    is_stranger, dispatcher_,           shared_};
    sessions_.insert(&session);
    const ScopeExit leave{[this, &session] { sessions_.erase(&session); }};
    if (is_stranger) {
        log_dropped(session.peer(), "this account may not use the daemon");
    }
    try {
        co_await session.run();
    } catch (const Error& error) { // its fault, and no task of ours failed
        log_dropped(session.peer(), error.message());
    }
}

void Server::log_dropped(const access::Peer& peer, std::string_view why) noexcept {
    if (dropped_limit_.allow()) {
        log::info("service", "dropping uid {} (pid {}): {}; and {} others before", peer.uid,
                  peer.pid, why, dropped_limit_.skipped());
    }
}

void Server::stop_accepting() noexcept {
    for (const auto& listener : listeners_) {
        listener->close();
    }
}

Awaitable<> Server::drain(std::chrono::milliseconds limit) {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + limit;
    draining_ = true;
    stop_accepting();
    for (Session* session : sessions_) {
        session->finish();
    }
    while (places_ > 0 && Clock::now() < deadline) {
        co_await session_ended_.wait_for(deadline - Clock::now());
    }
    tasks_.cancel();
    co_await tasks_.join();
    co_await accepting_.join();
    listeners_.clear();
    co_await asio::post(executor_, asio::use_awaitable); // the last turn is over
}

} // namespace wharf::service
