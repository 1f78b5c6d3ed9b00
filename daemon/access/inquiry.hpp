#pragma once

#include "daemon/async/awaitable.hpp"
#include "daemon/hub/types.hpp"

namespace wharf::access {

/// What a repo is to somebody who shows no token.
enum class Standing {
    open,  ///< its files are there for all: public
    gated, ///< its page is there for all, its files are not
    hidden ///< it does not exist, or only for some: the Hub does not say which
};

/// The questions to the Hub that decide who may read what. Each call asks anew (no answer is taken
/// from memory), tries again as long as that may help within a few seconds, and throws network,
/// unavailable, rate_limited or protocol Errors when the Hub cannot be asked.
class Inquiry {
  public:
    virtual ~Inquiry() = default;

    virtual Awaitable<Standing> standing(hub::RepoId repo) = 0;

    /// Returns when the token may read the repo's files; throws the Hub's refusal: unauthorized
    /// (the token is wrong, expired or revoked), repo_not_found, gated or forbidden.
    virtual Awaitable<> check(hub::RepoId repo, hub::Token token) = 0;
};

} // namespace wharf::access
