#pragma once

#include "daemon/access/hearings.hpp"
#include "daemon/async/semaphore.hpp"

#include <map>
#include <utility>

namespace wharf::access {

/// What is done about access while nobody waits for it: grants end and are renewed, and public
/// repos in the cache are asked about once a day, so that one that became private is closed; others
/// are forgotten. Control thread.
class Rounds {
  public:
    /// Requires: all that is referred to outlives this; `tasks` is joined before this ends.
    Rounds(const GatekeeperContext& context, Grants& grants, Hearings& hearings,
           async::TaskGroup& tasks);

    void start();

    /// A grant has changed: when the next one ends may have, too.
    void grant_changed() { grants_changed_.notify_all(); }

    /// The clocks went on without us.
    void wake();

    /// Somebody who needs no leave uses a repo that is not known to be public: finds out whether it
    /// is, for the sake of others. At most one question per repo in `at_most_every`.
    void look_into(const hub::RepoId& repo, BootClock::duration at_most_every);

    /// Asks again, soon, what is held true of the repo and of the account's grant.
    void doubt(uid_t uid, const hub::RepoId& repo);

  private:
    Awaitable<> watch_grants();
    Awaitable<> watch_publics();
    Awaitable<> watch_names();
    Awaitable<> forget_names();
    Awaitable<> renew(uid_t uid, hub::RepoId repo);
    Awaitable<> ask_for_others(hub::RepoId repo);
    Awaitable<> ask_again(hub::RepoId repo);

    const GatekeeperContext& context_;
    Grants& grants_;
    Hearings& hearings_;
    async::TaskGroup& tasks_;
    async::Semaphore background_; ///< how many questions at once
    async::Event grants_changed_;
    async::Event woken_;
    std::map<hub::RepoId, BootClock::time_point> not_before_; ///< of look_into()
    std::map<std::pair<hub::RepoId, uid_t>, BootClock::time_point>
        renew_not_before_; ///< of doubt()
};

} // namespace wharf::access
