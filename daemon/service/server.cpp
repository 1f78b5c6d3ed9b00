#include "daemon/service/server.hpp"

#include "base/error.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/service/dispatcher.hpp"
#include "daemon/service/session.hpp"

#include <utility>

namespace wharf::service {

class Server::Place {
  public:
    Place(Server& server, uid_t uid) : server_{&server}, uid_{uid} {
        ++server_->places_of_[uid_];
        ++server_->places_;
    }
    Place(Place&& other) noexcept
        : server_{std::exchange(other.server_, nullptr)}, uid_{other.uid_} {}
    Place& operator=(Place&&) = delete;
    ~Place() {
        if (server_ == nullptr) {
            return;
        }
        const auto of_user = server_->places_of_.find(uid_);
        if (--of_user->second == 0) {
            server_->places_of_.erase(of_user);
        }
        --server_->places_;
        server_->session_ended_.notify_all();
    }

  private:
    Server* server_; ///< null: moved from
    uid_t uid_;
};

Server::Server(Executor executor, const Dispatcher& dispatcher, ServerOptions options,
               Policy may_connect)
    : executor_{executor}, dispatcher_{dispatcher}, may_connect_{std::move(may_connect)},
      shared_{options, dispatcher.takes_descriptors(), 0, {}}, accepting_{executor},
      tasks_{executor} {}

Server::~Server() = default;

void Server::listen(ListeningSocket socket) {
    listeners_.push_back(
        std::make_unique<Listener>(executor_, std::move(socket),
                                   [this](UniqueFd connection) { serve(std::move(connection)); }));
    accepting_.spawn("accept", listeners_.back()->run());
}

void Server::serve(UniqueFd connection) noexcept {
    try {
        Peer peer = peer_of(connection.value());
        if (has_room(peer)) {
            Place place{*this, peer.uid};
            tasks_.spawn("session",
                         run_session(std::move(connection), std::move(peer), std::move(place)));
        }
    } catch (const std::exception& error) { // this client is lost, the others are not
        log::error("service", "cannot serve a connection: {}", error.what());
    }
}

bool Server::has_room(const Peer& peer) noexcept {
    const auto of_user = places_of_.find(peer.uid);
    const std::size_t used = of_user == places_of_.end() ? 0 : of_user->second;
    const ServerOptions& options = shared_.options;
    const bool room =
        places_ < options.max_connections &&
        (options.max_connections_per_user == 0 || used < options.max_connections_per_user);
    if (!room && full_limit_.allow()) {
        log::warning("service",
                     "too many connections ({}, {} of them of uid {}): refusing one of uid {} "
                     "and {} before it",
                     places_, used, peer.uid, peer.uid, full_limit_.skipped());
    }
    return room && !draining_;
}

Awaitable<> Server::run_session(UniqueFd connection, Peer peer, Place) {
    if (draining_) {
        co_return;
    }
    const bool is_allowed = may_connect_(peer);
    Session session{executor_,  std::move(connection), std::move(peer),
                    is_allowed, dispatcher_,           shared_};
    sessions_.insert(&session);
    const ScopeExit leave{[this, &session] { sessions_.erase(&session); }};
    if (!is_allowed) {
        log_dropped(session.peer(), "this account may not use the daemon");
    }
    try {
        co_await session.run();
    } catch (const Error& error) { // its fault, and no task of ours failed
        log_dropped(session.peer(), error.message());
    }
}

void Server::log_dropped(const Peer& peer, std::string_view why) noexcept {
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
}

} // namespace wharf::service
