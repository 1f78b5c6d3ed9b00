#pragma once

#include "daemon/access/audit.hpp"
#include "daemon/access/gate.hpp"
#include "daemon/access/gatekeeper_options.hpp"
#include "daemon/access/inquiry.hpp"
#include "daemon/access/moment.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/store/readers.hpp"

#include <filesystem>
#include <functional>
#include <memory>
#include <sys/types.h>
#include <vector>

namespace wharf::access {

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
    /// The repos that the cache holds: those that nothing is known of are closed at the start. May
    /// be empty when the store closes them itself.
    std::function<Awaitable<std::vector<hub::RepoId>>()> cached_repos = {};
    std::function<Moment()> now = Moment::now;
};

/// Decides who may read which repo, and has the kernel enforce it: the folder of a public repo is
/// open to all, that of any other to the accounts with a live grant. docs/security.md has the
/// table of what happens when. Control thread.
class Gatekeeper final : public Gate {
  public:
    /// Opens the database, and blocks meanwhile. Throws storage Errors.
    Gatekeeper(GatekeeperContext context, GatekeeperOptions options);
    Gatekeeper(const Gatekeeper&) = delete;
    Gatekeeper& operator=(const Gatekeeper&) = delete;
    /// Requires: nothing was started, or stop() has returned.
    ~Gatekeeper() override;

    /// Takes up what an earlier run knew and begins to renew and to expire. Blocks for a moment.
    void start();

    /// See Gate. The daemon's own account is let in at once. Throws rate_limited when too many
    /// questions of the account are on their way, and storage when the repo's folder cannot be
    /// opened.
    Awaitable<> require(uid_t uid, hub::Token token, hub::RepoId repo) override;

    bool admits(uid_t uid, const hub::RepoId& repo) override;
    void doubt(uid_t uid, const hub::RepoId& repo) override;
    bool is_public(const hub::RepoId& repo) const override;

    /// The account has no stored token any more: grants that it proved end.
    void forget_account(uid_t uid);

    void set_options(GatekeeperOptions options);

    /// The machine slept: looks at once what has ended meanwhile.
    void wake();

    /// Cancels questions on their way and writes down what is left to write.
    Awaitable<> stop();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace wharf::access
