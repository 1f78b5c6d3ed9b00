#pragma once

#include "daemon/service/dispatcher.hpp"

#include <string>
#include <vector>

namespace wharf::test {

/// What the demo's methods leave behind, for tests to look at.
struct DemoState {
    std::vector<std::string> pings; ///< the texts, in the order they were served
    int hanging = 0;                ///< calls of Hang that wait now
    int hung = 0;                   ///< calls of Hang that ended, cancelled
    std::size_t watch_replies = 0;  ///< answers of Watch that were sent
};

/// A dispatcher of the interface org.example.demo. `state` must outlive it.
class DemoService {
  public:
    explicit DemoService(DemoState& state);
    const service::Dispatcher& dispatcher() const noexcept { return dispatcher_; }

  private:
    service::Dispatcher dispatcher_;
};

} // namespace wharf::test
