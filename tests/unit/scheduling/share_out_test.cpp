#include "daemon/scheduling/share_out.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

using wharf::scheduling::BandwidthLimits;
using wharf::scheduling::Budget;
using wharf::scheduling::Claim;
using wharf::scheduling::Claimant;
using wharf::scheduling::priorities;
using wharf::scheduling::Priority;

namespace {

using Bytes = std::vector<std::uint64_t>;
constexpr auto none = Budget::unbounded;
constexpr auto interactive = Priority::interactive;
constexpr auto normal = Priority::normal;
constexpr auto background = Priority::background;

Budget budget(std::uint64_t all, std::array<std::uint64_t, 3> by_class = {none, none, none},
              std::map<uid_t, std::uint64_t> by_user = {}) {
    return {all, by_class, std::move(by_user)};
}

} // namespace

TEST_CASE("what is shared out to whom") {
    struct Row {
        const char* name;
        Budget budget;
        std::vector<Claim> claims;
        Bytes expected;
    };
    const Row rows[]{
        {"nobody", budget(100), {}, {}},
        {"nothing", budget(0), {{{1, normal}, 50}}, {0}},
        {"one takes all", budget(100), {{{1, normal}, 500}}, {100}},
        {"no more than the room", budget(100), {{{1, normal}, 40}}, {40}},
        {"two fetches equally", budget(100), {{{1, normal}, 500}, {{1, normal}, 500}}, {50, 50}},
        {"a remainder is not lost",
         budget(10),
         {{{1, normal}, 9}, {{1, normal}, 9}, {{1, normal}, 9}},
         {3, 3, 4}},
        {"what one cannot use, others get",
         budget(100),
         {{{1, normal}, 500}, {{1, normal}, 10}, {{1, normal}, 500}},
         {45, 10, 45}},
        {"users equally, however many fetches",
         budget(120),
         {{{1, normal}, 500}, {{2, normal}, 500}, {{2, normal}, 500}, {{2, normal}, 500}},
         {60, 20, 20, 20}},
        {"what a user cannot use, others get",
         budget(120),
         {{{1, normal}, 10}, {{2, normal}, 500}},
         {10, 110}},
        {"classes by weight",
         budget(1300),
         {{{1, interactive}, 5000}, {{1, normal}, 5000}, {{1, background}, 5000}},
         {800, 400, 100}},
        {"classes by weight, of those that are there",
         budget(900),
         {{{1, background}, 5000}, {{2, interactive}, 5000}},
         {100, 800}},
        {"what a class cannot use, others get by weight",
         budget(1000),
         {{{1, interactive}, 500}, {{1, normal}, 5000}, {{1, background}, 5000}},
         {500, 400, 100}},
        {"a class has its bound",
         budget(1000, {none, 100, none}),
         {{{1, normal}, 5000}, {{2, background}, 5000}},
         {100, 900}},
        {"a user has his bound",
         budget(1000, {none, none, none}, {{1, 100}}),
         {{{1, normal}, 5000}, {{2, normal}, 5000}},
         {100, 900}},
        {"a user's bound goes to his urgent fetches first",
         budget(1000, {none, none, none}, {{1, 100}}),
         {{{1, background}, 5000}, {{1, interactive}, 60}},
         {40, 60}},
        {"what an urgent class cannot use of a user's bound, his other fetches get",
         budget(1000, {30, none, none}, {{1, 100}}),
         {{{1, background}, 5000}, {{1, interactive}, 60}},
         {70, 30}},
        {"what came back is the same user's first",
         budget(100),
         {{{1, normal}, 500}, {{2, normal}, 0, 40}, {{2, normal}, 500}},
         {30, 0, 70}},
        {"what came back and he cannot use, others get",
         budget(100),
         {{{1, normal}, 500}, {{2, normal}, 10, 40}},
         {90, 10}},
        {"only a user's bound",
         budget(none, {none, none, none}, {{1, 100}}),
         {{{1, normal}, 5000}, {{2, normal}, 5000}},
         {100, 5000}},
    };
    for (const auto& row : rows) {
        CAPTURE(std::string{row.name});
        CHECK(share_out(row.budget, row.claims) == row.expected);
    }
}

namespace {

/// A random question: few users and small numbers, so that all bounds meet.
struct Question {
    explicit Question(std::mt19937& random) {
        const auto bytes = [&](std::uint64_t most) {
            return std::uniform_int_distribution<std::uint64_t>{0, most}(random);
        };
        const auto bound = [&](std::uint64_t most) { return bytes(2) == 0 ? none : bytes(most); };
        budget.all = bound(2000);
        for (auto& of_class : budget.by_class) {
            of_class = bound(1000);
        }
        for (uid_t uid = 0; uid < 4; ++uid) {
            if (bytes(1) == 0) {
                budget.by_user[uid] = bytes(600);
            }
        }
        for (auto count = bytes(12); count > 0; --count) {
            const Claimant who{static_cast<uid_t>(bytes(4)), static_cast<Priority>(bytes(2))};
            claims.push_back({who, bytes(3) == 0 ? 0 : bytes(400), bytes(3) == 0 ? bytes(100) : 0});
        }
    }

    Budget budget;
    std::vector<Claim> claims;
};

/// A budget less what was granted; fails where that was too much.
Budget left_of(Budget budget, const std::vector<Claim>& claims, const Bytes& granted) {
    const auto take = [](std::uint64_t& from, std::uint64_t bytes) {
        REQUIRE(from >= bytes);
        from -= from == none ? 0 : bytes;
    };
    for (std::size_t i = 0; i < claims.size(); ++i) {
        REQUIRE(granted[i] <= claims[i].room);
        const auto& who = claims[i].who;
        take(budget.all, granted[i]);
        take(budget.by_class[static_cast<std::size_t>(who.priority)], granted[i]);
        if (const auto user = budget.by_user.find(who.uid); user != budget.by_user.end()) {
            take(user->second, granted[i]);
        }
    }
    return budget;
}

} // namespace

TEST_CASE("no bound is exceeded, and nothing is left that somebody could use") {
    std::mt19937 random{7};
    for (int i = 0; i < 20'000; ++i) {
        CAPTURE(i);
        const Question question{random};
        const auto& claims = question.claims;
        const auto granted = share_out(question.budget, claims);
        REQUIRE(granted.size() == claims.size());
        const auto left = left_of(question.budget, claims, granted);
        for (std::size_t k = 0; k < claims.size(); ++k) {
            const auto& who = claims[k].who;
            const auto user = left.by_user.find(who.uid);
            const bool usable = left.all > 0 &&
                                left.by_class[static_cast<std::size_t>(who.priority)] > 0 &&
                                (user == left.by_user.end() || user->second > 0);
            REQUIRE((granted[k] == claims[k].room || !usable));
        }
    }
}

TEST_CASE("fetches of one user and class differ only where one has no room") {
    std::mt19937 random{8};
    for (int i = 0; i < 20'000; ++i) {
        CAPTURE(i);
        const Question question{random};
        const auto& claims = question.claims;
        const auto granted = share_out(question.budget, claims);
        for (std::size_t a = 0; a < claims.size(); ++a) {
            for (std::size_t b = 0; b < claims.size(); ++b) {
                if (claims[a].who == claims[b].who && granted[a] < claims[a].room) {
                    REQUIRE(granted[b] <= granted[a] + 3); // remainders of rounds
                }
            }
        }
    }
}

TEST_CASE("large numbers do not overflow") {
    std::vector<Claim> claims(1024, Claim{{1, interactive}, 1ULL << 48});
    const auto granted = share_out(budget(1ULL << 40), claims);
    CHECK(std::accumulate(granted.begin(), granted.end(), std::uint64_t{0}) == 1ULL << 40);
}
