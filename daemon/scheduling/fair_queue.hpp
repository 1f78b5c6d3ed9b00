#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <sys/types.h>

namespace wharf::scheduling {

/// The claims of one class that wait for one host: deficit round robin over uids, first come first
/// served inside a uid. Costs are bytes, so that users who want enough get equal bytes whatever the
/// size of their files.
///
/// The deficits are kept as accounts: what a uid has been charged, divided by the quantum, is the
/// round of its next turn, and what is left to the next multiple is its deficit. The lowest round
/// is served first, and inside a round who came into it first. So a turn costs O(log uids) whatever
/// the cost of a claim, and what a claim did not use is simply given back. Whoever comes anew
/// starts where the others are: having been away earns nothing.
class FairQueue {
  public:
    /// One turn of a uid: about a piece of a large file.
    static constexpr std::uint64_t quantum = 16 << 20;

    /// What a request costs at least: about what its connection could have moved in the time of its
    /// round trip (10 MB/s, 25 ms). Otherwise somebody's ten thousand tiny files, which are nothing
    /// in bytes, would all go before another's next piece.
    static constexpr std::uint64_t least_cost = 256 << 10;

    /// A claim that waits; its owner keeps it until it is served or withdrawn.
    struct Entry {
        uid_t uid = 0;
        std::uint64_t cost = 0; ///< bytes that will be moved, as far as known
        std::list<Entry*>::iterator place;
    };

    /// What a served claim has been charged with. At first one turn at most: the rest of a large
    /// cost is charged as it comes.
    struct Charge {
        uid_t uid = 0;
        std::uint64_t reserved = 0;
        std::uint64_t moved = 0;
    };

    void push(Entry& entry);
    void withdraw(Entry& entry);

    /// Who is next. Requires: not empty.
    Entry& front() const;

    /// Serves the first; it is the owner's again. Requires: not empty.
    Charge pop();

    /// Says how many bytes a served claim has moved so far.
    void book(Charge& charge, std::uint64_t moved);

    /// The end of a served claim: what it did not use is given back.
    void settle(const Charge& charge);

    bool empty() const noexcept { return turns_.empty(); }
    std::size_t waiting() const noexcept { return waiting_; }
    std::size_t served() const noexcept { return served_; } ///< and not settled

    struct Use {
        uid_t uid = 0;
        std::size_t waiting = 0;
        std::size_t served = 0;
        std::uint64_t round = 0;
    };
    /// Calls `visit(Use)` for every uid that waits or is being served.
    template <typename Visitor>
    void for_each_use(Visitor visit) const {
        for (const auto& [uid, account] : accounts_) {
            if (account.served > 0 || !account.waiting.empty()) {
                visit(Use{uid, account.waiting.size(), account.served, account.round()});
            }
        }
    }

  private:
    struct Turn {
        std::uint64_t round = 0;
        std::uint64_t arrival = 0; ///< into the round
        uid_t uid = 0;

        auto operator<=>(const Turn&) const = default;
    };
    struct Account {
        std::uint64_t charged = 0;
        std::uint64_t unspent = 0; ///< of it: reserved and not moved yet
        std::size_t served = 0;
        std::list<Entry*> waiting;
        Turn turn; ///< valid while claims wait

        std::uint64_t round() const noexcept { return charged / quantum; }
    };
    void change(Account& account, std::uint64_t charged);
    void queue_up(uid_t uid, Account& account);
    void forget_if_idle();

    std::map<uid_t, Account> accounts_;
    std::set<Turn> turns_; ///< of the uids with waiting claims
    std::uint64_t arrivals_ = 0;
    std::uint64_t start_ = 0; ///< where newcomers begin: what the last one served had really moved
    std::size_t waiting_ = 0;
    std::size_t served_ = 0;
};

} // namespace wharf::scheduling
