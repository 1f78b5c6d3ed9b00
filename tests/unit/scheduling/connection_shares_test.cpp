#include "daemon/scheduling/connection_shares.hpp"

#include <doctest/doctest.h>

using wharf::scheduling::class_shares;
using wharf::scheduling::ConnectionUse;
using wharf::scheduling::even_shares;
using wharf::scheduling::PerClass;
using wharf::scheduling::plan_recalls;
using wharf::scheduling::Priority;

namespace {

constexpr std::size_t many = 1000;

std::vector<std::size_t> recalls(std::vector<ConnectionUse> uses, std::size_t slots) {
    plan_recalls(uses, slots);
    std::vector<std::size_t> counts;
    for (const auto& use : uses) {
        counts.push_back(use.recall);
    }
    return counts;
}

} // namespace

TEST_CASE("classes share connections by weight, and what is not wanted goes to the more urgent") {
    struct Case {
        const char* name;
        std::size_t slots;
        PerClass demand;
        PerClass shares;
    };
    const Case cases[] = {
        {"alone, a class gets all", 16, {0, 0, many}, {0, 0, 16}},
        {"nobody", 16, {0, 0, 0}, {0, 0, 0}},
        {"all three", 16, {many, many, many}, {10, 5, 1}},
        {"interactive and normal", 16, {many, many, 0}, {11, 5, 0}},
        {"interactive and background", 16, {many, 0, many}, {15, 0, 1}},
        {"the urgent want little", 16, {2, many, many}, {2, 5, 1}},
        {"the others want little", 16, {many, 1, 1}, {14, 1, 1}},
        {"all want little", 16, {1, 2, 3}, {1, 2, 1}},
        {"few slots", 4, {many, 0, many}, {3, 0, 1}},
        {"as many slots as classes", 3, {many, many, many}, {1, 1, 1}},
        {"fewer slots than classes", 2, {many, many, many}, {1, 1, 0}},
        {"one slot", 1, {many, 0, many}, {1, 0, 0}},
        {"no slot", 0, {many, many, many}, {0, 0, 0}},
    };
    for (const auto& c : cases) {
        CAPTURE(c.name);
        CHECK(class_shares(c.slots, c.demand) == c.shares);
    }
}

TEST_CASE("shares of a class never add up to more than there is") {
    for (std::size_t slots = 0; slots < 40; ++slots) {
        for (std::size_t demand = 0; demand < 1000; ++demand) {
            const PerClass wanted{demand % 10, demand / 10 % 10, demand / 100};
            const auto shares = class_shares(slots, wanted);
            REQUIRE(shares[0] + shares[1] + shares[2] <= slots);
            for (std::size_t c = 0; c < 3; ++c) {
                REQUIRE(shares[c] <= wanted[c]);
                REQUIRE((wanted[c] == 0 || shares[c] > 0 || slots < 3));
            }
        }
    }
}

TEST_CASE("users share evenly, and what one does not want is for the others") {
    using Numbers = std::vector<std::size_t>;
    CHECK(even_shares(16, Numbers{many, many}) == Numbers{8, 8});
    CHECK(even_shares(16, Numbers{many, many, many}) == Numbers{5, 5, 5});
    CHECK(even_shares(16, Numbers{2, many, many}) == Numbers{2, 7, 7});
    CHECK(even_shares(16, Numbers{many, 1, many, 3}) == Numbers{6, 1, 6, 3});
    CHECK(even_shares(16, Numbers{many}) == Numbers{16});
    CHECK(even_shares(2, Numbers{many, many, many}) == Numbers{0, 0, 0});
    CHECK(even_shares(16, Numbers{0, 3}) == Numbers{0, 3});
    CHECK(even_shares(16, Numbers{}).empty());
}

TEST_CASE("connections are asked back from who has more than his share, for who has less") {
    const auto use = [](uid_t uid, Priority priority, std::size_t held, std::size_t asked,
                        std::size_t waiting, std::uint64_t turn) {
        return ConnectionUse{.who = {.uid = uid, .priority = priority},
                             .held = held,
                             .asked = asked,
                             .waiting = waiting,
                             .turn = turn};
    };
    const auto person = Priority::interactive;
    const auto normal = Priority::normal;
    const auto prefetch = Priority::background;
    struct Case {
        const char* name;
        std::vector<ConnectionUse> uses; // sorted by class
        std::size_t slots;
        std::vector<std::size_t> recalls;
    };
    const Case cases[] = {
        {"alone", {use(1, normal, 16, 0, 9, 50)}, 16, {0}},
        {"alone, and there are fewer slots now", {use(1, normal, 16, 0, 9, 50)}, 4, {0}},
        {"an urgent claim, the host full of background",
         {use(1, person, 0, 0, 4, 0), use(2, prefetch, 16, 0, 9, 9)},
         16,
         {0, 15}},
        {"it was asked for already",
         {use(1, person, 0, 0, 4, 0), use(2, prefetch, 1, 15, 9, 9)},
         16,
         {0, 0}},
        {"urgent bytes move, though slots are free",
         {use(1, person, 1, 0, 0, 0), use(2, prefetch, 8, 0, 0, 9)},
         16,
         {0, 7}},
        {"the users with most give first",
         {use(1, person, 0, 0, 20, 0), use(2, normal, 10, 0, 9, 9), use(3, normal, 6, 0, 9, 9)},
         16,
         {0, 8, 3}},
        {"one slot for two classes",
         {use(1, person, 0, 0, 1, 0), use(2, prefetch, 1, 0, 1, 9)},
         1,
         {0, 1}},
        {"the less urgent gets its share too",
         {use(1, person, 16, 0, 9, 30), use(2, prefetch, 0, 0, 9, 0)},
         16,
         {1, 0}},
        {"a newcomer of the same class",
         {use(1, normal, 16, 0, 9, 16), use(2, normal, 0, 0, 20, 0)},
         16,
         {8, 0}},
        {"a newcomer who wants little",
         {use(1, normal, 16, 0, 9, 16), use(2, normal, 0, 0, 3, 0)},
         16,
         {3, 0}},
        {"a newcomer for whom connections are on the way",
         {use(1, normal, 12, 4, 9, 12), use(2, normal, 0, 0, 9, 0)},
         16,
         {4, 0}},
        {"fewer connections, but as many bytes",
         {use(1, normal, 12, 0, 9, 8), use(2, normal, 4, 0, 9, 7)},
         16,
         {0, 0}},
        {"more users than slots",
         {use(1, normal, 1, 0, 9, 8), use(2, normal, 1, 0, 9, 8), use(3, normal, 0, 0, 9, 0)},
         2,
         {0, 0, 0}},
    };
    for (const auto& c : cases) {
        CAPTURE(c.name);
        CHECK(recalls(c.uses, c.slots) == c.recalls);
    }
}
