#include "daemon/scheduling/fair_queue.hpp"

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <random>
#include <vector>

using wharf::scheduling::FairQueue;

namespace {

constexpr std::uint64_t mib = 1 << 20;

/// Serves one claim at a time, all of it, and counts bytes by uid.
class OneByOne {
  public:
    void want(uid_t uid, std::uint64_t size, int count = 1) {
        for (int i = 0; i < count; ++i) {
            auto& entry = entries_.emplace_back();
            entry.uid = uid;
            entry.cost = size;
            queue.push(entry);
        }
    }

    uid_t serve() {
        const auto& entry = queue.front();
        const auto uid = entry.uid;
        const auto cost = entry.cost;
        auto charge = queue.pop();
        queue.book(charge, cost / 2);
        queue.book(charge, cost);
        queue.settle(charge);
        moved[uid] += cost;
        return uid;
    }

    void serve_bytes(std::uint64_t total) {
        for (std::uint64_t sum = 0; sum < total;) {
            sum += queue.front().cost;
            serve();
        }
    }

    FairQueue queue;
    std::map<uid_t, std::uint64_t> moved;

  private:
    std::deque<FairQueue::Entry> entries_;
};

} // namespace

TEST_CASE("users get equal bytes whatever the size of their files") {
    struct Case {
        const char* name;
        std::uint64_t sizes[3];
    };
    const Case cases[] = {
        {"the same", {16 * mib, 16 * mib, 16 * mib}},
        {"small, piece, in between", {mib, 16 * mib, 5 * mib}},
        {"odd", {256 << 10, 7 * mib + 1, 15 * mib}},
        {"longer than a turn", {mib, 100 * mib, 16 * mib}},
    };
    for (const auto& c : cases) {
        CAPTURE(c.name);
        OneByOne all;
        for (uid_t uid = 0; uid < 3; ++uid) {
            all.want(uid, c.sizes[uid], static_cast<int>(2000 * mib / c.sizes[uid]));
        }
        all.serve_bytes(3000 * mib);
        for (uid_t uid = 0; uid < 3; ++uid) {
            CHECK(all.moved[uid] > 1000 * mib - 120 * mib);
            CHECK(all.moved[uid] < 1000 * mib + 120 * mib);
        }
    }
}

TEST_CASE("a turn lasts a quantum, and claims of one user keep their order") {
    OneByOne all;
    all.want(1, 4 * mib, 8);
    all.want(2, 16 * mib, 2);
    std::vector<uid_t> order;
    while (!all.queue.empty()) {
        order.push_back(all.serve());
    }
    CHECK(order == std::vector<uid_t>{1, 1, 1, 1, 2, 1, 1, 1, 1, 2});

    FairQueue queue;
    std::vector<FairQueue::Entry> entries(5);
    for (auto& entry : entries) {
        queue.push(entry);
    }
    queue.withdraw(entries[2]);
    for (const int i : {0, 1, 3, 4}) {
        CHECK(&queue.front() == &entries[static_cast<std::size_t>(i)]);
        queue.pop();
    }
}

TEST_CASE("what a claim does not use is given back") {
    OneByOne all;
    all.want(1, 16 * mib, 20);
    all.want(2, 16 * mib, 20);
    // User 1 is interrupted each time after a quarter of the piece.
    std::uint64_t quarter = 0;
    for (int i = 0; i < 25; ++i) {
        if (all.queue.front().uid == 1) {
            auto charge = all.queue.pop();
            all.queue.book(charge, 4 * mib);
            all.queue.settle(charge);
            quarter += 4 * mib;
        } else {
            all.serve();
        }
    }
    CHECK(quarter == 80 * mib);
    CHECK(all.moved[2] == 80 * mib);
}

TEST_CASE("tiny claims cost more than their bytes, so that they do not all go first") {
    OneByOne all;
    all.want(1, 1 << 10, 10'000);
    all.want(2, 16 * mib, 2);
    int before = 0;
    while (all.serve() == 1) {
        ++before;
    }
    CHECK(before == 64);
}

TEST_CASE("having been away earns nothing, and what came ahead is not forgotten") {
    OneByOne all;
    all.want(1, 16 * mib, 500);
    all.serve_bytes(4000 * mib);
    all.want(2, 16 * mib, 100);
    all.moved.clear();
    all.serve_bytes(640 * mib);
    CHECK(all.moved[1] == 320 * mib);
    CHECK(all.moved[2] == 320 * mib);
    CHECK(all.queue.served() == 0);
}

TEST_CASE("a newcomer gets as many connections as who has them all, before that one gets more") {
    FairQueue queue;
    std::vector<FairQueue::Entry> first(40);
    for (auto& entry : first) {
        entry = {.uid = 1, .cost = 16 * mib, .place = {}};
        queue.push(entry);
    }
    std::vector<FairQueue::Charge> used;
    for (int i = 0; i < 16; ++i) {
        used.push_back(queue.pop());
    }
    std::vector<FairQueue::Entry> second(20);
    for (auto& entry : second) {
        entry = {.uid = 2, .cost = 16 * mib, .place = {}};
        queue.push(entry);
    }
    // Eight of the first's are asked back having moved nothing to speak of.
    for (std::size_t i = 0; i < 8; ++i) {
        queue.settle(used[i]);
    }
    for (int i = 0; i < 8; ++i) {
        CHECK(queue.pop().uid == 2);
    }
}

TEST_CASE("10,000 claims of thousands of users are pushed, withdrawn and served without loss") {
    constexpr std::size_t count = 10'000;
    FairQueue queue;
    std::vector<FairQueue::Entry> entries(count);
    std::mt19937 random{7};
    for (std::size_t i = 0; i < count; ++i) {
        entries[i].uid = static_cast<uid_t>(i % 5 == 0 ? i : i % 50);
        entries[i].cost = random() % (20 * mib);
        queue.push(entries[i]);
    }
    for (std::size_t i = 0; i < count; i += 3) {
        queue.withdraw(entries[i]);
    }
    std::size_t served = 0;
    for (; !queue.empty(); ++served) {
        auto charge = queue.pop();
        queue.book(charge, charge.reserved / 2);
        queue.settle(charge);
    }
    CHECK(served == count - (count + 2) / 3);
}
