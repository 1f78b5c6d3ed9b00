#pragma once

#include "daemon/access/doors.hpp"
#include "daemon/access/gatekeeper.hpp"
#include "daemon/access/grants.hpp"
#include "daemon/access/questions.hpp"

#include <optional>
#include <string_view>
#include <vector>

namespace wharf::access {

/// Asks the Hub what decides who may read a repo, and does what follows from the answer: in the
/// book, at the folder, in the audit. Control thread.
class Hearings {
  public:
    /// Requires: all that is referred to outlives this; `tasks` is joined before this ends.
    Hearings(const GatekeeperContext& context, Grants& grants, Doors& doors,
             async::TaskGroup& tasks);

    /// What the repo is to all. Asked now, or shared with those who ask already; the folder is open
    /// or closed accordingly at the return. Throws when the Hub cannot be asked, or the folder
    /// cannot be opened.
    Awaitable<Standing> standing(hub::RepoId repo);

    /// Has the account prove with a token that it may read the repo; its folder is open to it at
    /// the return. Throws the Hub's refusal, which ends a grant that there was; or what the Hub
    /// could not be asked for.
    Awaitable<> prove(uid_t uid, hub::RepoId repo, Claim claim);

    /// Has a grant proven again in the background: by the account's stored token, else by that of
    /// the call which proved it.
    Awaitable<> renew(uid_t uid, hub::RepoId repo);

    /// The account is refused for want of a proof: takes it down.
    void note_refusal(uid_t uid, const hub::RepoId& repo, const Error& refusal);

    /// A grant ended before its time.
    void note_revoked(uid_t uid, const hub::RepoId& repo, std::string_view why,
                      std::string_view result);

  private:
    Awaitable<Standing> ask_standing(hub::RepoId repo);
    Awaitable<std::optional<Error>> ask_check(hub::RepoId repo, hub::Token token);
    Awaitable<Grants::Renewal> try_renewal(uid_t uid, hub::RepoId repo);
    bool is_still_stored(uid_t uid, const Claim& claim) const;
    std::vector<Claim> claims_of(uid_t uid, const hub::RepoId& repo) const;
    void note_granted(uid_t uid, const hub::RepoId& repo);

    const GatekeeperContext& context_;
    Grants& grants_;
    Doors& doors_;
    Questions<hub::RepoId, Standing> standings_;
};

} // namespace wharf::access
