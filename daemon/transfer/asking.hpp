#pragma once

#include "daemon/hub/hub_client.hpp"
#include "daemon/hub/transport.hpp"
#include "daemon/hub/upload_client.hpp"
#include "daemon/scheduling/rate_gate.hpp"
#include "daemon/scheduling/retry.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

namespace wharf::transfer {

/// How a question is put to the Hub.
struct Way {
    /// Asks once and keeps the answer.
    std::function<Awaitable<>(hub::HubClient&)> fetch;
    /// Instead of `fetch`: the same with the protocol's writing half.
    std::function<Awaitable<>(hub::UploadClient&)> write;
    scheduling::RetryPolicy policy;
    hub::Token token;                           ///< whose quota it is counted under
    std::shared_ptr<scheduling::WaitNote> note; ///< says why it waits
    std::function<void()> sending;              ///< called before each request; may be empty
    std::function<void()> failed;               ///< called after each failed try; may be empty

    // Requires: one of `fetch` and `write`.
};

/// Puts questions to the Hub: each request when the gate lets it through, and again as long as that
/// may help. Remembers for a moment that the Hub could not be reached, so that not everybody has to
/// find out for himself. Control thread.
class Asking {
  public:
    /// Requires: transport and gate outlive this, and the transport tells the gate of every answer.
    Asking(Executor executor, hub::Transport& transport, net::Url endpoint,
           scheduling::RateGate& gate);

    /// Returns when there is an answer; throws the error that shall not be met again.
    Awaitable<> ask(Way way);

    /// The same for at most `limit`. Throws a network Error when the Hub has not answered until
    /// then, a rate_limited one when its quota did not even let us ask.
    Awaitable<> ask_within(std::chrono::milliseconds limit, Way way);

    /// What those met who tried to reach the Hub a moment ago, as long as trying again would most
    /// likely meet it too. It names hosts, and nothing of what was asked.
    std::optional<Error> away() const;

  private:
    struct Outcome;

    Awaitable<> try_until_over(Way way);
    Awaitable<> wait_before_retry(Error error, std::chrono::milliseconds delay, hub::Token token,
                                  std::shared_ptr<scheduling::WaitNote> note);
    Awaitable<> ask_into(Way way, std::shared_ptr<Outcome> outcome);
    Error too_late(std::chrono::milliseconds limit, bool held_up) const;
    void note_failure(const Error& error);

    Executor executor_;
    hub::Transport& transport_;
    net::Url endpoint_;
    scheduling::RateGate& gate_;
    std::optional<Error> away_;
    std::chrono::steady_clock::time_point away_until_{};
};

} // namespace wharf::transfer
