#pragma once

#include "daemon/async/awaitable.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <thread>
#include <vector>

namespace wharf::async {

/// Threads that move bytes, each with an event loop of its own. What belongs to one thread's
/// executor is touched on that thread only.
class IoThreads {
  public:
    explicit IoThreads(std::size_t count);

    /// Requires: nothing is left to do on them (their tasks were joined).
    ~IoThreads();

    std::size_t size() const noexcept { return threads_.size(); }
    Executor executor(std::size_t index);

  private:
    struct Thread {
        asio::io_context context{1}; // one thread runs it: Asio may skip some locks
        asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
        std::thread thread;
    };
    std::vector<std::unique_ptr<Thread>> threads_;
};

} // namespace wharf::async
