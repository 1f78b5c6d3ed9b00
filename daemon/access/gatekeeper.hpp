#pragma once

#include "daemon/access/audit.hpp"
#include "daemon/access/inquiry.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/store/readers.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <sys/types.h>

namespace wharf::access {

struct GatekeeperOptions {
    /// How long the Hub's word counts: that a repo is public, and that an account may read one.
    std::chrono::milliseconds grant_ttl = std::chrono::minutes{10};
    /// How long after its last proof a grant still serves when the Hub cannot be asked.
    std::chrono::milliseconds offline_grace = std::chrono::hours{24};
    /// How long after its last use a grant is renewed in the background.
    std::chrono::milliseconds renew_for = std::chrono::hours{12};
};

/// What the gatekeeper needs of the rest of the daemon.
struct GatekeeperContext {
    Executor executor; ///< the control thread's
    Inquiry& inquiry;
    Audit& audit;
    std::filesystem::path database; ///< "access.db" in the state folder
    uid_t owner = 0;                ///< the account that runs the daemon: it owns what is on disk
    /// Opens and closes a repo's folder. Returns when the kernel enforces it.
    std::function<Awaitable<>(hub::RepoId, store::Readers)> set_readers;
    /// The token that an account has stored; empty if none.
    std::function<hub::Token(uid_t)> stored_token;
};

/// Decides who may read which repo, and has the kernel enforce it: the folder of a public repo is
/// open to all, that of any other to the accounts with a live grant. docs/security.md has the
/// table of what happens when. Control thread.
class Gatekeeper {
  public:
    Gatekeeper(GatekeeperContext context, GatekeeperOptions options);
    Gatekeeper(const Gatekeeper&) = delete;
    Gatekeeper& operator=(const Gatekeeper&) = delete;
    ~Gatekeeper();

    /// Takes up what an earlier run knew and begins to renew and to expire. Blocks for a moment.
    void start();

    /// Returns when the account may read the repo's files. Throws why it may not: the Hub's
    /// refusal, or a network Error when the Hub cannot be asked and what is known does not suffice.
    /// What somebody without a grant is told, and how long that takes, does not depend on what is
    /// cached or on what others were granted.
    Awaitable<> require(uid_t uid, hub::Token token, hub::RepoId repo);

    /// Whether require() would return at once; counts as a use.
    bool admits(uid_t uid, const hub::RepoId& repo);

    /// Whether all may read the repo, as far as is known.
    bool is_public(const hub::RepoId& repo) const;

    /// The account has no stored token any more: grants that it proved end.
    void forget_account(uid_t uid);

    void set_options(GatekeeperOptions options);

    /// Cancels questions on their way and writes down what is left to write.
    Awaitable<> stop();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace wharf::access
