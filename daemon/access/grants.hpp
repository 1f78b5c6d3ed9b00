#pragma once

#include "daemon/access/access_record.hpp"
#include "daemon/access/gatekeeper_options.hpp"
#include "daemon/access/moment.hpp"
#include "daemon/hub/types.hpp"
#include "daemon/store/readers.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <sys/types.h>
#include <vector>

namespace wharf::access {

/// A token that shall prove something, and where it is from.
struct Claim {
    hub::Token token;
    bool stored = false; ///< the account's stored one; else it came with a call
};

/// The book of what the Hub said about who may read what, and of when that ends. Pure: every moment
/// is told. That a repo is not public is nothing it knows: it forgets that it was.
///
/// A grant is live from its proof for grant_ttl, and longer as long as the Hub cannot be asked,
/// until offline_grace after the proof. What has ended lives again by a new proof or by the Hub's
/// absence only, not by options that change.
class Grants {
  public:
    /// Told of what changes, in the middle of the change: must not call back.
    struct Hooks {
        std::function<void(const RecordChange&)> changed; ///< something to write down
        std::function<void(const hub::RepoId&)> readers_changed;
    };

    Grants(GatekeeperOptions options, Hooks hooks);

    /// Takes up what an earlier run knew. Proofs that are too old or in the future count as none.
    void take_up(const AccessRecords& records, Moment now);
    void set_options(GatekeeperOptions options) { options_ = options; }

    /// Whether the repo was public when the Hub was last asked.
    bool is_public(const hub::RepoId& repo) const;
    /// Whether it was, and that still counts without asking again.
    bool is_freshly_public(const hub::RepoId& repo, Moment now) const;
    /// Whether the account may read the repo without a question to the Hub; counts as a use.
    bool admits(uid_t uid, const hub::RepoId& repo, Moment now);
    store::Readers readers(const hub::RepoId& repo, Moment now) const;
    /// All that is known, those that are not public first.
    std::vector<hub::RepoId> repos() const;

    // What the Hub said. `asked` is the moment before the question: its word is not older.
    void note_public(const hub::RepoId& repo, Moment asked);
    /// Whether it was public before.
    bool note_restricted(const hub::RepoId& repo);
    /// Whether the account had no live grant before. Somebody waits for it: it counts as a use.
    bool note_proof(uid_t uid, const hub::RepoId& repo, Claim claim, Moment asked);
    /// The same for a grant that there is, when nobody waits.
    bool note_renewal(uid_t uid, const hub::RepoId& repo, Claim claim, Moment asked);
    /// Ends a grant, unless it was proven after the question. Whether there was one.
    bool revoke(uid_t uid, const hub::RepoId& repo, Moment asked);
    /// Ends the grants that the account's stored token proved; of which repos.
    std::vector<hub::RepoId> revoke_stored(uid_t uid);

    /// The Hub cannot be asked: whether the account may read the repo all the same. If so, it need
    /// not ask again for a while. Counts as a use.
    bool serve_offline(uid_t uid, const hub::RepoId& repo, Moment now);

    struct GrantKey {
        hub::RepoId repo;
        uid_t uid = 0;
    };
    /// Ends what has ended, forgets what is of no use, and says what is to be renewed now.
    struct Agenda {
        std::vector<GrantKey> renew; ///< for each, settle_renewal() is to be called
        BootClock::time_point next;  ///< when to look again; max() if there is nothing to see
    };
    Agenda look(Moment now);

    /// The token of a call that proved a live grant; empty if none is kept.
    hub::Token kept_token(uid_t uid, const hub::RepoId& repo) const;
    /// When a grant was last proven; none if there is no grant.
    std::optional<BootClock::time_point> proven(uid_t uid, const hub::RepoId& repo) const;

    enum class Renewal {
        answered,   ///< the grant is proven anew, or has ended
        impossible, ///< there is no token to renew it with
        trouble     ///< the Hub could not be asked: it serves on, within offline_grace
    };
    /// Says when to try again. Renewals that met trouble pause for longer each time.
    void settle_renewal(uid_t uid, const hub::RepoId& repo, Renewal outcome, Moment now);

    /// The public repo that is to be asked about first, and when.
    struct Due {
        hub::RepoId repo;
        BootClock::time_point at;
    };
    std::optional<Due> next_public() const;
    /// Forgets those that are not in the cache and were proven that long ago: nothing of them can
    /// be read here, and who wants them asks anew in any case. How many.
    std::size_t forget_publics(const std::set<hub::RepoId>& cached, Moment now,
                               BootClock::duration proven_before);
    /// It could not be asked about: not again within the hour.
    void note_public_tried(const hub::RepoId& repo, Moment now);

    static constexpr std::chrono::hours ask_public_every{24};
    static constexpr std::chrono::days forget_after{30}; ///< grants that nobody used

  private:
    struct Public {
        Moment proven;
        BootClock::time_point fresh_until{}; ///< beyond grant_ttl: the Hub cannot be asked
        BootClock::time_point not_before{};  ///< for the daily question
    };
    struct Grant {
        Moment proven;
        Moment used;
        WallTime used_as_written;
        hub::Token token; ///< of the call that proved it
        bool by_stored = false;
        bool is_on = false;                    ///< has not ended
        BootClock::time_point offline_until{}; ///< serves until then without proof
        bool is_renewing = false;
        unsigned troubles = 0; ///< of renewals, in a row
        BootClock::time_point renew_not_before{};
    };
    struct Repo {
        std::optional<Public> open;
        std::map<uid_t, Grant> grants;
    };
    using Repos = std::map<hub::RepoId, Repo>;

    const Grant* find(uid_t uid, const hub::RepoId& repo) const;
    Grant* find(uid_t uid, const hub::RepoId& repo);
    BootClock::time_point end_of(const Grant& grant) const;
    bool is_live(const Grant& grant, Moment now) const;
    bool is_useless(const Grant& grant, Moment now) const;
    bool is_used(const Grant& grant, Moment now) const;
    void plan(const hub::RepoId& repo, uid_t uid, Grant& grant, Agenda& agenda, Moment now);
    void extend(const hub::RepoId& repo, Grant& grant, Moment now);
    void write(const hub::RepoId& repo, const Public& open);
    void write(const hub::RepoId& repo, uid_t uid, Grant& grant);
    void erase(const hub::RepoId& repo, uid_t uid);

    GatekeeperOptions options_;
    Hooks hooks_;
    Repos repos_; ///< public ones, and those with grants
};

} // namespace wharf::access
