#include "daemon/service/reply_stream.hpp"

#include "daemon/service/call.hpp"

#include <utility>

namespace wharf::service {

void ReplyStream::offer(boost::json::object state) {
    offered_ = std::move(state);
    changed_.notify_all();
}

void ReplyStream::finish() {
    finished_ = true;
    changed_.notify_all();
}

Awaitable<> ReplyStream::run() {
    while (true) {
        if (offered_) {
            boost::json::object state = std::move(*offered_);
            offered_.reset();
            co_await call_.reply_more(std::move(state));
            co_await pause();
        } else if (finished_) {
            co_return;
        } else {
            co_await changed_.wait();
        }
    }
}

/// Lets the interval pass; the end does not wait for it.
Awaitable<> ReplyStream::pause() {
    const auto until = std::chrono::steady_clock::now() + interval_;
    while (!finished_ && std::chrono::steady_clock::now() < until) {
        co_await changed_.wait_for(until - std::chrono::steady_clock::now());
    }
}

} // namespace wharf::service
