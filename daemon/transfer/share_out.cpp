#include "daemon/transfer/share_out.hpp"

#include <algorithm>
#include <utility>

// Three levels of the same question: so many bytes, so many who want some of them. Each level is
// filled like connected vessels: everybody's level rises alike until he is full or nothing is left.
//
// A user's bound spans the classes and so does not fit the tree. It is promised to his most urgent
// class first, the rest of it to the next. Where a class then cannot use what was promised (its own
// bound was nearer) a second round offers that to the others.

namespace wharf::transfer {

namespace {

/// As for connections: while all want more, normal gets half of what interactive gets, and
/// background an eighth.
constexpr std::array<std::uint64_t, priorities> weights{8, 4, 1};

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
            const auto& [who, room] = claims[i];
            room_.push_back(room);
            claims_[static_cast<std::size_t>(who.priority)][who.uid].push_back(i);
        }
    }

    /// Bytes that were granted; 0: nobody can use more.
    std::uint64_t round() {
        std::array<std::vector<Vessel>, priorities> users = promised();
        std::array<Vessel, priorities> classes;
        for (std::size_t c = 0; c < priorities; ++c) {
            for (const auto& user : users[c]) {
                classes[c].capacity += user.capacity;
            }
            classes[c].capacity = std::min(classes[c].capacity, left_.by_class[c]);
            classes[c].weight = weights[c];
        }
        pour(left_.all, classes);
        std::uint64_t sum = 0;
        for (std::size_t c = 0; c < priorities; ++c) {
            pour(classes[c].level, users[c]);
            auto user = users[c].begin();
            for (const auto& [uid, members] : claims_[c]) {
                grant(c, uid, members, (user++)->level);
            }
            sum += classes[c].level;
        }
        return sum;
    }

    std::vector<std::uint64_t> result() && { return std::move(granted_); }

  private:
    /// What each user of each class may get, in the order of `claims_`.
    std::array<std::vector<Vessel>, priorities> promised() const {
        auto bounds = left_.by_user;
        std::array<std::vector<Vessel>, priorities> users;
        for (std::size_t c = 0; c < priorities; ++c) {
            for (const auto& [uid, members] : claims_[c]) {
                Vessel user;
                for (const auto i : members) {
                    user.capacity += room_[i];
                }
                if (const auto bound = bounds.find(uid); bound != bounds.end()) {
                    user.capacity = std::min(user.capacity, bound->second);
                    bound->second -= user.capacity;
                }
                users[c].push_back(user);
            }
        }
        return users;
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
    std::array<std::map<uid_t, std::vector<std::size_t>>, priorities> claims_; ///< by index
};

} // namespace

std::vector<std::uint64_t> share_out(Budget budget, std::span<const Claim> claims) {
    Sharing sharing{std::move(budget), claims};
    while (sharing.round() > 0) {
    }
    return std::move(sharing).result();
}

} // namespace wharf::transfer
