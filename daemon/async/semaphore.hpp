#pragma once

#include "daemon/async/event.hpp"

#include <cstddef>
#include <utility>

namespace wharf::async {

/// Bounds how many of something run at once. First come, first served. One thread.
class Semaphore {
  public:
    /// Holds one unit until it is destroyed.
    class Permit {
      public:
        Permit() noexcept = default;
        explicit Permit(Semaphore& owner) noexcept : owner_{&owner} {}
        Permit(Permit&& other) noexcept : owner_{std::exchange(other.owner_, nullptr)} {}
        Permit& operator=(Permit&& other) noexcept {
            release();
            owner_ = std::exchange(other.owner_, nullptr);
            return *this;
        }
        ~Permit() { release(); }
        void release() noexcept;

      private:
        Semaphore* owner_ = nullptr;
    };

    explicit Semaphore(std::ptrdiff_t units) : free_{units} {}

    /// Waits for a unit. Throws operation_aborted when the task is cancelled.
    Awaitable<Permit> acquire();

  private:
    struct Waiter {
        Event turn;
        bool granted = false;
    };
    void give_back() noexcept;
    void wake_next();

    std::ptrdiff_t free_;
    std::list<Waiter> waiters_;
};

} // namespace wharf::async
