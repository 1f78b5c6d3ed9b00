#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/async/event.hpp"

#include <boost/json/object.hpp>

#include <chrono>
#include <optional>

namespace wharf::service {

class Call;

/// Shows a client how something goes on, at the client's own speed: whoever knows the state offers
/// it as often as it changes, and never waits; the client gets the latest one when it has read the
/// one before and the interval has passed. One thread.
///
/// run() is one task and the work that offers is another; the final answer is the handler's, after
/// run() has returned.
class ReplyStream {
  public:
    /// `call` must outlive the stream.
    explicit ReplyStream(Call& call, std::chrono::milliseconds interval = default_interval)
        : call_{call}, interval_{interval} {}

    /// Replaces what was offered and not sent yet.
    void offer(boost::json::object state);

    /// Ends run(), after what was offered is sent.
    void finish();

    /// Sends until finish(). Throws as Call::reply_more() does.
    Awaitable<> run();

  private:
    /// Often enough for eyes.
    static constexpr std::chrono::milliseconds default_interval{200};

    Awaitable<> pause();

    Call& call_;
    std::chrono::milliseconds interval_;
    std::optional<boost::json::object> offered_;
    bool finished_ = false;
    async::Event changed_;
};

} // namespace wharf::service
