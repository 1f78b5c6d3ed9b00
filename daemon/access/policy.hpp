#pragma once

#include "daemon/access/peer.hpp"
#include "daemon/access/policy_refusal.hpp"
#include "daemon/access/rules.hpp"
#include "daemon/async/awaitable.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace wharf::access {

/// What somebody may do. Who may do more than connect may connect; administrators may do all.
struct Rights {
    bool connect = false;
    bool download = false;   ///< have files fetched; without it: read what is cached
    bool upload = false;     ///< push to the Hub
    bool administer = false; ///< see and change what belongs to others

    bool operator==(const Rights&) const = default;
};

/// What the machine says of names; none for those that it does not know. Names are missing here
/// when it could not be asked.
struct Names {
    std::map<std::string, std::optional<uid_t>> users;
    std::map<std::string, std::optional<gid_t>> groups;
};

/// Asks the machine for all names in the rules. Blocks.
Names look_up_names(const Rules& rules);

/// Knows who may do what. The account that runs the daemon may do everything. Control thread.
class Policy {
  public:
    using LookUp = std::function<Names(const Rules&)>;

    /// Looks the names up, so that nobody is refused in the first moments: blocks. `owner` runs the
    /// daemon.
    Policy(Rules rules, uid_t owner, LookUp look_up = look_up_names);
    Policy(const Policy&) = delete;
    Policy& operator=(const Policy&) = delete;

    Rights rights(const Peer& peer) const;

    /// The same for somebody who wants something now: throws a PolicyRefusal, which says whom to
    /// ask for what, when he may not even connect.
    Rights admit(const Peer& peer) const;

    /// Takes over new rules. They hold at once for the names that are known; others are looked up
    /// by keep_names().
    void set(Rules rules);

    /// Looks the names up whenever set() was called and every few minutes, until it is cancelled:
    /// accounts come and go. When the directory server is out of order, what it said last counts.
    Awaitable<> keep_names(async::BlockingPool& pool);

  private:
    /// Accounts by number.
    struct Circle {
        bool everybody = false;
        std::set<uid_t> users;
        std::set<gid_t> groups;

        bool holds(const Peer& peer) const;
    };
    void learn(Names found);
    void draw();
    Circle circle(const Accounts& accounts) const;
    Circle circle_or_all(const Accounts& accounts) const;
    void warn_of_unknown(std::string_view key, const Accounts& accounts);

    Rules rules_;
    uid_t owner_;
    LookUp look_up_;
    Names names_;
    Circle allow_;
    Circle download_;
    Circle upload_;
    Circle admin_;
    std::set<std::string> warned_; ///< names that were said to be unknown, with their keys
    async::Event changed_;
};

} // namespace wharf::access
