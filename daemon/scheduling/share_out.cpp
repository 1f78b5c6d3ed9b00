#include "daemon/scheduling/share_out.hpp"

#include <algorithm>
#include <utility>

// Three levels of the same question: so many bytes, so many who want some of them. Each level is
// filled like connected vessels: everybody's level rises alike until he is full or nothing is left.
//
// A user's bound spans the classes and so does not fit the tree. It is promised to his most urgent
// class first, the rest of it to the next. Where a class then cannot use what was promised (its own
// bound was nearer) a second round offers that to the others.

namespace wharf::scheduling {

namespace {

struct Vessel {
    std::uint64_t capacity = 0;
    std::uint64_t weight = 1;
    std::uint64_t level = 0;
};

/// Takes those that are full soonest first: each gets its share of what is left, and what it lacks
/// room for stays for those after it.
void pour(std::uint64_t bytes, std::span<Vessel> vessels) {
    std::vector<Vessel*> order;
    std::uint64_t weight = 0;
    std::uint64_t capacity = 0;
    for (auto& vessel : vessels) {
        order.push_back(&vessel);
        weight += vessel.weight;
        capacity += vessel.capacity;
    }
    std::ranges::sort(order, [](const Vessel* a, const Vessel* b) { // equal ones as they came
        return std::pair{a->capacity * b->weight, a} < std::pair{b->capacity * a->weight, b};
    });
    bytes = std::min(bytes, capacity);
    for (auto* vessel : order) {
        vessel->level = std::min(vessel->capacity, bytes * vessel->weight / weight);
        bytes -= vessel->level;
        weight -= vessel->weight;
    }
}

class Sharing {
  public:
    Sharing(Budget budget, std::span<const Claim> claims)
        : left_{std::move(budget)}, granted_(claims.size()) {
        for (std::size_t i = 0; i < claims.size(); ++i) {
            const auto& [who, room, returned] = claims[i];
            room_.push_back(room);
            auto& user = users_[index(who.priority)][who.uid];
            user.claims.push_back(i);
            user.returned += returned;
        }
    }

    /// Bytes that were granted. When none are, and not only what was returned is on offer, nobody
    /// can use more.
    std::uint64_t round(bool returned_only) {
        std::array<std::vector<Vessel>, priorities> users = promised(returned_only);
        std::array<Vessel, priorities> classes;
        for (std::size_t c = 0; c < priorities; ++c) {
            for (const auto& user : users[c]) {
                classes[c].capacity += user.capacity;
            }
            classes[c].capacity = std::min(classes[c].capacity, left_.by_class[c]);
            classes[c].weight = class_weights[c];
        }
        pour(left_.all, classes);
        std::uint64_t sum = 0;
        for (std::size_t c = 0; c < priorities; ++c) {
            pour(classes[c].level, users[c]);
            auto vessel = users[c].begin();
            for (const auto& [uid, user] : users_[c]) {
                grant(c, uid, user.claims, (vessel++)->level);
            }
            sum += classes[c].level;
        }
        return sum;
    }

    std::vector<std::uint64_t> result() && { return std::move(granted_); }

  private:
    /// One user's claims in one class.
    struct User {
        std::vector<std::size_t> claims; ///< by index
        std::uint64_t returned = 0;
    };

    /// What each user of each class may get, in the order of `users_`.
    std::array<std::vector<Vessel>, priorities> promised(bool returned_only) const {
        auto bounds = left_.by_user;
        std::array<std::vector<Vessel>, priorities> vessels;
        for (std::size_t c = 0; c < priorities; ++c) {
            for (const auto& [uid, user] : users_[c]) {
                std::uint64_t most = 0;
                for (const auto i : user.claims) {
                    most += room_[i];
                }
                most = std::min(most, left_.by_class[c]); // nothing there, nothing promised
                most = returned_only ? std::min(most, user.returned) : most;
                if (const auto bound = bounds.find(uid); bound != bounds.end()) {
                    most = std::min(most, bound->second);
                    bound->second -= most;
                }
                vessels[c].push_back({.capacity = most});
            }
        }
        return vessels;
    }

    void grant(std::size_t priority, uid_t uid, const std::vector<std::size_t>& members,
               std::uint64_t bytes) {
        std::vector<Vessel> vessels;
        for (const auto i : members) {
            vessels.push_back({.capacity = room_[i]});
        }
        pour(bytes, vessels);
        for (std::size_t k = 0; k < members.size(); ++k) {
            granted_[members[k]] += vessels[k].level;
            room_[members[k]] -= vessels[k].level;
        }
        left_.all -= bytes;
        left_.by_class[priority] -= bytes;
        if (const auto bound = left_.by_user.find(uid); bound != left_.by_user.end()) {
            bound->second -= bytes;
        }
    }

    Budget left_;
    std::vector<std::uint64_t> room_;
    std::vector<std::uint64_t> granted_;
    std::array<std::map<uid_t, User>, priorities> users_;
};

} // namespace

std::vector<std::uint64_t> share_out(Budget budget, std::span<const Claim> claims) {
    Sharing sharing{std::move(budget), claims};
    sharing.round(true);
    while (sharing.round(false) > 0) {
    }
    return std::move(sharing).result();
}

} // namespace wharf::scheduling
