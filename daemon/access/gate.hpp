#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/hub/types.hpp"

#include <sys/types.h>

namespace wharf::access {

/// Whom everybody asks before anything of a repo is told or handed out; see Gatekeeper. Control
/// thread.
class Gate {
  public:
    virtual ~Gate() = default;

    /// Returns when the account may read the repo's files. `token`: the one that it shows, which
    /// may be the one that it stored; empty for none. Throws why it may not: the Hub's refusal, or
    /// a network Error when the Hub cannot be asked and what is known does not suffice. What
    /// somebody without a grant is told, and how long that takes, does not depend on what is cached
    /// or on what others were granted.
    virtual Awaitable<> require(uid_t uid, hub::Token token, hub::RepoId repo) = 0;

    /// Whether require() would return at once; counts as a use.
    virtual bool admits(uid_t uid, const hub::RepoId& repo) = 0;

    /// The Hub refused the account something of the repo that it was let in to: looks again soon
    /// whether that still holds, instead of when its time is over.
    virtual void doubt(uid_t uid, const hub::RepoId& repo) = 0;

    /// Whether all may read the repo, as far as is known.
    virtual bool is_public(const hub::RepoId& repo) const = 0;
};

} // namespace wharf::access
