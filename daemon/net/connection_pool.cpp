#include "daemon/net/connection_pool.hpp"

#include "base/log.hpp"

#include <algorithm>

namespace wharf::net {

namespace {

using Clock = std::chrono::steady_clock;

} // namespace

ConnectionPool::ConnectionPool(const Executor& executor, Limits limits)
    : limits_{limits}, timer_{executor} {}

std::unique_ptr<Stream> ConnectionPool::take(const std::string& origin) noexcept {
    const auto found = idle_.find(origin);
    if (found == idle_.end()) {
        return nullptr;
    }
    auto& kept = found->second;
    std::unique_ptr<Stream> stream;
    while (!stream && !kept.empty()) {
        if (Clock::now() < kept.back().until && kept.back().stream->is_quiet()) {
            stream = std::move(kept.back().stream);
        }
        kept.pop_back();
    }
    if (kept.empty()) {
        idle_.erase(found);
    }
    return stream;
}

void ConnectionPool::keep(const std::string& origin, std::unique_ptr<Stream> stream) noexcept {
    if (limits_.per_origin == 0) {
        return;
    }
    try {
        auto& kept = idle_[origin];
        kept.push_back({std::move(stream), Clock::now() + limits_.idle_timeout});
        if (kept.size() > limits_.per_origin) {
            kept.pop_front();
        }
        arm();
    } catch (const std::exception& error) { // without memory: then it is closed, not kept
        log::warning("net", "cannot keep a connection: {}", error.what());
    }
}

void ConnectionPool::clear() noexcept {
    idle_.clear();
}

std::size_t ConnectionPool::size() const noexcept {
    std::size_t count = 0;
    for (const auto& [origin, kept] : idle_) {
        count += kept.size();
    }
    return count;
}

void ConnectionPool::arm() {
    if (armed_ || idle_.empty()) {
        return;
    }
    auto next = Clock::time_point::max();
    for (const auto& [origin, kept] : idle_) {
        if (!kept.empty()) {
            next = std::min(next, kept.front().until);
        }
    }
    armed_ = true;
    timer_.expires_at(next);
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& ec) {
        const auto self = weak.lock();
        if (self && !ec) {
            self->armed_ = false;
            self->drop_old();
            self->arm();
        }
    });
}

void ConnectionPool::drop_old() noexcept {
    const auto now = Clock::now();
    for (auto& [origin, kept] : idle_) {
        while (!kept.empty() && kept.front().until <= now) {
            kept.pop_front();
        }
    }
    std::erase_if(idle_, [](const auto& entry) { return entry.second.empty(); });
}

} // namespace wharf::net
