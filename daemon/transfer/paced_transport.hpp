#pragma once

#include "daemon/hub/transport.hpp"
#include "daemon/scheduling/rate_gate.hpp"

#include <chrono>
#include <functional>
#include <memory>

namespace wharf::transfer {

/// What one question sends, each request of it (pages and redirects too) only when the gate lets
/// it through, and again when it was refused all the same and a time was named. Control thread.
/// Requires: gate and transport outlive this, and the transport tells the gate of every answer.
class PacedTransport final : public hub::Transport {
  public:
    /// `note` and `longest` as RateGate::pass() has them; `sending` (may be empty) is called
    /// when a request that has passed is about to be sent.
    PacedTransport(hub::Transport& transport, scheduling::RateGate& gate,
                   std::shared_ptr<scheduling::WaitNote> note, std::chrono::seconds longest,
                   std::function<void()> sending)
        : transport_{transport}, gate_{gate}, note_{std::move(note)}, longest_{longest},
          sending_{std::move(sending)} {}

    Awaitable<net::HttpResponse> send(net::HttpRequest request, hub::Account account) override;

  private:
    hub::Transport& transport_;
    scheduling::RateGate& gate_;
    std::shared_ptr<scheduling::WaitNote> note_;
    std::chrono::seconds longest_;
    std::function<void()> sending_;
};

} // namespace wharf::transfer
