#pragma once

#include "daemon/access/known_accounts.hpp"
#include "daemon/access/ledger.hpp"
#include "daemon/access/quota_limits.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/task_group.hpp"

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

namespace wharf::access {

/// What the quotas need of the rest of the daemon.
struct QuotaContext {
    Executor executor; ///< the control thread's
    KnownAccounts& accounts;
    std::filesystem::path database; ///< "quota.db" in the state folder
    uid_t owner = 0;                ///< the account that runs the daemon
    /// Which of these blobs (by etag) the cache holds. Empty: nobody knows, all are taken for
    /// there.
    std::function<Awaitable<std::vector<bool>>(std::vector<std::string>)> present;
};

/// Bytes that an account has asked for and that are on their way: as long as this lives they are
/// not taken for gone. Control thread.
class Charge {
  public:
    Charge(std::multiset<Asked>& expected, Asked asked);
    Charge(const Charge&) = delete;
    Charge& operator=(const Charge&) = delete;
    ~Charge();

  private:
    std::multiset<Asked>& expected_;
    std::multiset<Asked>::iterator place_;
};

/// How much of the cache each account carries, and how much it may. An account carries what it
/// asked for, until it gives it up or the blob is gone; what several carry, they share. Kept on a
/// thread of its own; a quota that cannot be looked up stops nobody. Control thread.
class Quotas {
  public:
    /// Blocks for a moment. Throws storage Errors. Requires: all referred to outlives this.
    Quotas(QuotaContext context, QuotaRules rules);
    ~Quotas();

    /// Begins to look for blobs that are gone, once a day.
    void start();

    /// What the account may have, as far as is known of its groups.
    QuotaLimits limits_of(uid_t uid);

    /// Before files are fetched for an account: puts them on it. Keep the charge until they are in
    /// the cache, or will not come. Throws quota, with numbers, when they are too many; nothing has
    /// changed then. What it carries already always fits.
    Awaitable<std::unique_ptr<Charge>> charge(uid_t uid, hub::RepoId repo, BlobSizes blobs);

    /// After files that are in the cache were handed to an account: puts them on it, soon, whatever
    /// its quota; they are there anyway. Returns at once, and costs nearly nothing for what was
    /// handed to it before.
    void attribute(uid_t uid, const hub::RepoId& repo, std::span<const hub::TreeEntry> files);

    /// The account does not carry the repo's files any more; it may still read them. How many bytes
    /// fewer are attributed to it now.
    Awaitable<std::uint64_t> release(uid_t uid, hub::RepoId repo);

    Awaitable<std::uint64_t> usage(uid_t uid);

    /// Everybody who carries something, with the bytes.
    Awaitable<std::vector<std::pair<uid_t, std::uint64_t>>> accounts();

    /// See Ledger::repos_of().
    Awaitable<std::vector<std::pair<hub::RepoId, std::uint64_t>>> repos_of(uid_t uid,
                                                                           std::size_t most);

    void set_rules(QuotaRules rules) { rules_ = std::move(rules); }

    /// Drops blobs that the cache does not hold any more, of one account or of all.
    Awaitable<> forget_gone(std::optional<uid_t> uid);

    /// Writes what is left to write.
    Awaitable<> stop();

  private:
    struct HandedOut {
        Asked asked;
        BlobSizes blobs;
    };

    bool is_recent(std::size_t fingerprint) const;
    void remember(std::size_t fingerprint);
    void forget_recent();
    void enqueue(HandedOut handed_out);
    Awaitable<> write_all();
    void complain(const Error& error);
    Awaitable<> look_daily();
    bool may_look_again(uid_t uid);

    QuotaContext context_;
    QuotaRules rules_;
    std::unique_ptr<Ledger> ledger_;
    std::multiset<Asked> expected_;  ///< what charges stand for
    std::vector<HandedOut> waiting_; ///< to be written
    std::size_t waiting_blobs_ = 0;
    bool is_writing_ = false;
    std::unordered_set<std::size_t> recent_;  ///< fingerprints of what was handed out
    std::unordered_set<std::size_t> earlier_; ///< the same, before recent_ was full
    std::map<uid_t, std::chrono::steady_clock::time_point> looked_; ///< for gone blobs
    std::optional<std::chrono::steady_clock::time_point> complained_;
    async::BlockingPool disk_{1};
    async::TaskGroup writer_;
    async::TaskGroup house_; // last: ends before what it uses
};

} // namespace wharf::access
