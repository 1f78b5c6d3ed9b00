#pragma once

#include "daemon/access/account.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/loose_threads.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace wharf::access {

/// Names and groups of accounts, remembered for a while. Questions go to threads that nobody waits
/// for, because a directory server may not answer for minutes; until then what is known serves.
/// Control thread.
class KnownAccounts {
  public:
    using LookUp = std::function<Account(uid_t)>;

    /// Requires: the executor's loop outlives this, and `look_up` may be called on any thread.
    explicit KnownAccounts(Executor executor, LookUp look_up = look_up_account);

    /// What is known; an account without name and groups as long as nothing is. Asks the machine
    /// where that is due.
    const Account& known(uid_t uid);

    /// The same, but waits for the machine's first answer, at most longest_wait.
    Awaitable<Account> find(uid_t uid);

    /// As access::find_user(), but waits for at most longest_wait. Throws unavailable.
    Awaitable<std::optional<uid_t>> find_uid(std::string name);

    /// Told when the machine said something new about an account.
    void set_on_news(std::function<void(uid_t)> on_news) { on_news_ = std::move(on_news); }

    static constexpr std::chrono::minutes fresh_for{5};
    static constexpr std::chrono::seconds longest_wait{2};
    static constexpr std::size_t most_questions = 8; ///< at one time

  private:
    struct Entry {
        Account account;
        std::optional<std::chrono::steady_clock::time_point> answered;
        bool asked = false; ///< and not answered yet
    };

    Entry& entry_of(uid_t uid);
    void ask(uid_t uid, Entry& entry);
    void learn(Account account);

    LookUp look_up_;
    std::function<void(uid_t)> on_news_;
    std::map<uid_t, Entry> entries_;
    async::Event answered_;
    async::LooseThreads threads_; ///< last: its outcomes use the rest
};

} // namespace wharf::access
