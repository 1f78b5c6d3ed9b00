// Shares are whole connections. Classes are served from the least urgent up, each taking its part
// of what is left rounded down (but one at least), so that rounding favours the more urgent.
#include "daemon/scheduling/connection_shares.hpp"

#include <algorithm>
#include <numeric>

namespace wharf::scheduling {

namespace {

/// Uses of one class.
std::span<ConnectionUse> part_of(std::span<ConnectionUse> uses, std::size_t which) {
    const auto part = std::ranges::equal_range(uses, which, {},
                                               [](const auto& u) { return index(u.who.priority); });
    return {part.begin(), part.end()};
}

/// Asks a class for `count` connections, the users with most of them first.
void recall_from_class(std::span<ConnectionUse> uses, std::size_t count) {
    for (; count > 0; --count) {
        auto& most = *std::ranges::max_element(uses, {}, &ConnectionUse::held);
        if (most.held == 0) {
            return;
        }
        --most.held;
        ++most.recall;
    }
}

/// Inside a class: as long as somebody lags behind by more than a turn and has less than his
/// share, and another has more than his.
void recall_inside_class(std::span<ConnectionUse> uses, std::size_t slots) {
    std::vector<std::size_t> demand;
    std::size_t coming = 0; // asked back before: who waits will get those
    for (const auto& use : uses) {
        demand.push_back(use.held + use.asked + use.recall + use.waiting);
        coming += use.asked;
    }
    const auto shares = even_shares(slots, demand);
    std::vector<std::size_t> served(uses.size(), 0);
    for (;;) {
        std::size_t needy = uses.size();
        std::size_t over = uses.size();
        for (std::size_t i = 0; i < uses.size(); ++i) {
            const auto& use = uses[i];
            if (use.waiting > served[i] && use.held + served[i] < shares[i] &&
                (needy == uses.size() || use.turn < uses[needy].turn)) {
                needy = i;
            }
            if (use.held > shares[i] &&
                (over == uses.size() || use.held - shares[i] > uses[over].held - shares[over])) {
                over = i;
            }
        }
        if (needy == uses.size() || over == uses.size()) {
            return;
        }
        if (coming == 0) {
            if (uses[needy].turn + 1 >= uses[over].turn) {
                return;
            }
            --uses[over].held;
            --uses[over].turn; // what its piece still lacks is given back
            ++uses[over].recall;
        } else {
            --coming;
        }
        ++served[needy];
        ++uses[needy].turn;
    }
}

} // namespace

PerClass class_shares(std::size_t slots, const PerClass& demand) {
    PerClass shares{};
    for (std::size_t c = priorities; c-- > 0;) {
        if (demand[c] == 0) {
            continue;
        }
        std::size_t weight = class_weights[c];
        std::size_t more_urgent = 0;
        for (std::size_t u = 0; u < c; ++u) {
            weight += demand[u] > 0 ? class_weights[u] : 0;
            more_urgent += demand[u] > 0 ? 1 : 0;
        }
        const std::size_t part = std::max<std::size_t>(slots * class_weights[c] / weight, 1);
        shares[c] = std::min({part, slots - std::min(slots, more_urgent), demand[c]});
        slots -= shares[c];
    }
    return shares;
}

std::vector<std::size_t> even_shares(std::size_t slots, std::span<const std::size_t> demand) {
    std::vector<std::size_t> order(demand.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::sort(order, {}, [&](std::size_t i) { return demand[i]; });
    std::vector<std::size_t> shares(demand.size());
    std::size_t left = order.size();
    for (const std::size_t i : order) {
        if (demand[i] > slots / left) {
            break; // nor can those be served who want more
        }
        shares[i] = demand[i];
        slots -= demand[i];
        --left;
    }
    const std::size_t level = left > 0 ? slots / left : 0;
    for (std::size_t i = 0; i < demand.size(); ++i) {
        if (demand[i] > 0 && shares[i] == 0) {
            shares[i] = std::min(demand[i], level);
        }
    }
    return shares;
}

void plan_recalls(std::span<ConnectionUse> uses, std::size_t slots) {
    std::ranges::sort(uses, {}, [](const auto& use) { return use.who.priority; });
    PerClass held{};
    PerClass demand{};
    PerClass waiting{};
    for (const auto& use : uses) {
        const auto c = index(use.who.priority);
        held[c] += use.held;
        waiting[c] += use.waiting;
        demand[c] += use.held + use.asked + use.waiting;
    }
    const PerClass shares = class_shares(slots, demand);
    for (std::size_t c = 0; c < priorities; ++c) {
        const auto part = part_of(uses, c);
        bool wanted = false; // by another class
        for (std::size_t other = 0; other < priorities; ++other) {
            const bool lacks = waiting[other] > 0 && held[other] < shares[other];
            wanted = wanted || (other < c && demand[other] > 0) || (other > c && lacks);
        }
        if (wanted && held[c] > shares[c]) {
            recall_from_class(part, held[c] - shares[c]);
        }
        recall_inside_class(part, shares[c]);
    }
}

} // namespace wharf::scheduling
