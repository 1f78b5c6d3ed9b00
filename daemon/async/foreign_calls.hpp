#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/async/loose_threads.hpp"

#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <sys/types.h>

namespace wharf::async {

/// Calls on files that somebody handed to us: each of them, and be it a look or a close, may hang
/// for as long as that somebody likes (FUSE, a dead NFS server). So they run on threads that nobody
/// waits for. An account has few of them at a time, and the accounts take turns: who hands over
/// hanging files stops only himself. Control thread.
class ForeignCalls {
  public:
    /// Runs on another thread, and may do so when whoever asked for it is gone: it refers to
    /// nothing that may end before it.
    using Call = std::function<void()>;

    /// Requires: the executor's loop outlives this.
    explicit ForeignCalls(Executor executor);

    /// Runs `call`, which does not throw, when its turn comes, and then `ended` on the control
    /// thread. What has not begun when this is destroyed never does.
    void start(uid_t uid, Call call, std::function<void()> ended = {});

    /// The same, and waits; throws what the call throws. When the task is cancelled meanwhile, the
    /// call is made nevertheless.
    Awaitable<> run(uid_t uid, Call call);

    static constexpr std::size_t most = 32;            ///< at one time
    static constexpr std::size_t most_for_account = 2; ///< of them

  private:
    struct Pending {
        Call call;
        std::function<void()> ended;
    };
    struct Account {
        std::deque<Pending> waiting;
        std::size_t running = 0;
    };
    using Accounts = std::map<uid_t, Account>;

    void begin_more();
    bool begin(Accounts::iterator account);
    Accounts::iterator next();
    void finished(uid_t uid);

    Accounts accounts_; ///< those with something to do
    std::size_t running_ = 0;
    uid_t last_ = 0;       ///< whose turn it was
    LooseThreads threads_; ///< last: its outcomes use the rest
};

} // namespace wharf::async
