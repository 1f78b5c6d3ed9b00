#pragma once

#include "daemon/async/awaitable.hpp"

#include <cstddef>
#include <functional>
#include <memory>

namespace wharf::async {

/// Threads for calls into the system that may hang and that nothing can stop, such as the look-up
/// of a name. Each call has a thread to itself, and there are never more than a given number; one
/// that is free stays for a while for the next call. A call that still hangs when this is destroyed
/// is left behind: nobody waits for it, its result is dropped, its thread ends when it returns. One
/// thread owns this.
class LooseThreads {
  public:
    /// What a call leaves to be done on the owner's executor.
    using Outcome = std::function<void()>;
    using Call = std::function<Outcome()>;

    /// Requires: the executor's loop outlives this.
    LooseThreads(Executor executor, std::size_t most);
    ~LooseThreads();

    /// Runs `call` on another thread, and later what it returns on the executor. False when
    /// there are as many as there may be, or the system gives us no thread. The call refers to
    /// nothing that may end before it, and does not throw.
    bool start(Call call);

    /// Calls that have not returned.
    std::size_t running() const;

  private:
    struct State;
    std::shared_ptr<State> state_; ///< shared with the threads
};

} // namespace wharf::async
