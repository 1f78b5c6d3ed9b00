#include "base/error.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/scheduling/connections.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::async::TaskGroup;
using wharf::scheduling::Connections;
using wharf::scheduling::Priority;

namespace {

constexpr std::uint64_t mib = 1 << 20;

Connections::Claim claim(uid_t uid, Priority priority = Priority::normal,
                         std::string host = "hub") {
    return {.who = {.uid = uid, .priority = priority}, .host = std::move(host), .bytes = 16 * mib};
}

/// Claims that are waited for, and the permits they got, in the order they got them.
class Claims {
  public:
    explicit Claims(Connections::Limits limits) : connections{std::in_place, limits} {}

    struct Got {
        uid_t uid;
        Connections::Permit permit;
    };

    void want(Connections::Claim claim, int count = 1) {
        for (int i = 0; i < count; ++i) {
            group.spawn("claim", wait(claim));
        }
        settle();
    }

    /// Runs what can run now.
    void settle() {
        context.restart();
        context.poll();
    }

    /// On the loop, where tasks live.
    void cancel() {
        wharf::asio::post(context, [this] { group.cancel(); });
        settle();
    }

    void tick(std::chrono::milliseconds after = 500ms) { connections->tick(now += after); }

    /// Gives all back that were asked back.
    std::size_t obey() {
        const auto count =
            std::erase_if(got, [](const Got& g) { return g.permit.line()->wanted_back(); });
        settle();
        return count;
    }

    std::size_t held_by(uid_t uid) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(got, [&](const Got& g) { return g.uid == uid; }));
    }

    wharf::asio::io_context context;
    std::optional<Connections> connections;
    TaskGroup group{context.get_executor()};
    std::deque<Got> got;
    Connections::Clock::time_point now{1h};

  private:
    Awaitable<> wait(Connections::Claim claim) {
        const uid_t uid = claim.who.uid;
        Connections::Permit permit = co_await connections->acquire(std::move(claim));
        got.push_back({uid, std::move(permit)});
    }
};

} // namespace

TEST_CASE("limits hold, and status tells what is in use") {
    Claims claims{{.overall = 6, .per_host = 4}};
    claims.want(claim(1), 7);
    claims.want(claim(1, Priority::normal, "cdn"), 3);
    CHECK(claims.got.size() == 6);
    const auto status = claims.connections->status();
    REQUIRE(status.size() == 2);
    CHECK(status[0].host == "cdn");
    CHECK(status[0].in_use == 2);
    CHECK(status[0].waiting == 1);
    CHECK(status[1].host == "hub");
    CHECK(status[1].in_use == 4);
    CHECK(status[1].target == 4);
    CHECK(status[1].waiting == 3);
    claims.got.pop_front();
    claims.settle();
    CHECK(claims.got.size() == 6);
    claims.connections->set_limits({.overall = 8, .per_host = 4});
    claims.settle();
    CHECK(claims.got.size() == 7); // all that is wanted of the cdn; the hub has its four
    claims.connections->set_limits({.overall = 2, .per_host = 2});
    claims.got.pop_front();
    claims.settle();
    CHECK(claims.got.size() == 6); // those too many run out by themselves
    for (int i = 0; i < 10; ++i) {
        claims.got.clear();
        claims.settle();
    }
    CHECK(claims.connections->status().empty());
}

TEST_CASE("a cancelled claim loses no connection, whether it waits or was just granted") {
    Claims claims{{.overall = 32, .per_host = 1}};
    claims.want(claim(1));
    claims.want(claim(2), 100);
    REQUIRE(claims.got.size() == 1);
    claims.cancel();
    CHECK(claims.group.size() == 0);
    CHECK(claims.connections->status()[0].waiting == 0);
    claims.got.clear();
    CHECK(claims.connections->status().empty());

    Claims others{{.overall = 1, .per_host = 1}};
    others.want(claim(1));
    others.want(claim(2), 3);
    wharf::asio::post(others.context, [&] {
        others.got.clear();    // granted to the next, who has not woken up yet
        others.group.cancel(); // it may take it or leave it
    });
    others.settle();
    CHECK(others.group.size() == 0);
    others.got.clear();
    CHECK(others.connections->status().empty());
    others.want(claim(3));
    CHECK(others.held_by(3) == 1);
}

TEST_CASE("permits may end in any order, twice, and after the book is gone") {
    Claims claims{{.overall = 4, .per_host = 4}};
    claims.want(claim(1), 4);
    auto line = claims.got[2].permit.line();
    std::swap(claims.got[0], claims.got[3]);
    claims.got[1].permit.release();
    claims.got[1].permit.release();
    CHECK_FALSE(claims.got[1].permit);
    claims.connections.reset();
    claims.got.pop_back();
    claims.got.clear();
    line->received(5);
    CHECK(line->received() == 5);
}

TEST_CASE("one user's claims of a class are served in order, users by turns") {
    Claims claims{{.overall = 32, .per_host = 1}};
    claims.want(claim(1), 4);
    claims.want(claim(2), 3);
    std::vector<uid_t> order;
    while (!claims.got.empty()) {
        order.push_back(claims.got.front().uid);
        claims.got.front().permit.line()->received(16 * mib);
        claims.got.pop_front();
        claims.settle();
    }
    CHECK(order == std::vector<uid_t>{1, 2, 1, 2, 1, 2, 1});
}

TEST_CASE("less urgent connections are asked back at the next ticks, and not given out again") {
    Claims claims{{.overall = 32, .per_host = 4}};
    claims.want(claim(1, Priority::background), 20);
    claims.tick();
    claims.tick();
    CHECK(claims.obey() == 0);
    claims.want(claim(2, Priority::interactive), 2);
    claims.tick();
    CHECK(claims.obey() == 3);
    CHECK(claims.held_by(2) == 2);
    CHECK(claims.held_by(1) == 1); // one slot stays free: two people's bytes go first
    claims.tick();
    CHECK(claims.obey() == 0);
    std::erase_if(claims.got, [](const auto& got) { return got.uid == 2; });
    claims.settle();
    CHECK(claims.held_by(1) == 1); // the urgent one may only be between two files
    claims.tick(1s);
    claims.settle();
    CHECK(claims.held_by(1) == 4);
}

TEST_CASE("a connection that has only begun, or soon ends, is not asked back") {
    Claims claims{{.overall = 32, .per_host = 2}};
    claims.want(claim(1, Priority::background), 2);
    claims.want(claim(2, Priority::interactive), 2);
    claims.tick(200ms);
    claims.tick(200ms);
    CHECK(claims.obey() == 0);
    claims.got[1].permit.line()->received(14 * mib);
    claims.tick(200ms);
    CHECK_FALSE(claims.got[1].permit.line()->wanted_back());
    CHECK(claims.got[0].permit.line()->wanted_back());
}

TEST_CASE("errors of the host lower its number of connections, others do not") {
    Claims claims{{.overall = 32, .per_host = 16}};
    claims.want(claim(1), 20);
    claims.tick();
    const auto target = [&] { return claims.connections->status()[0].target; };
    auto& permit = claims.got.front().permit;
    permit.failed(Error{ErrorKind::storage, "disk"});
    permit.failed(Error{ErrorKind::file_not_found, "404"});
    permit.failed(Error{ErrorKind::cancelled, "stop"});
    CHECK(target() == 4);
    permit.failed(Error{ErrorKind::unavailable, "503"});
    CHECK(target() == 2);
    for (const auto kind : {ErrorKind::rate_limited, ErrorKind::network}) {
        claims.tick(5s);
        permit.failed(Error{kind, "again"});
    }
    CHECK(target() == 1);
}

TEST_CASE("where the overall limit binds, the user with fewest connections is next") {
    Claims claims{{.overall = 4, .per_host = 4}};
    claims.want(claim(1, Priority::normal, "a"), 8);
    claims.want(claim(1, Priority::normal, "b"), 8);
    claims.want(claim(2, Priority::normal, "c"), 8);
    CHECK(claims.held_by(1) == 4);
    claims.tick();
    claims.tick();
    CHECK(claims.obey() > 0);
    for (int i = 0; i < 4; ++i) {
        claims.tick();
        claims.obey();
    }
    CHECK(claims.held_by(2) == 2);
    CHECK(claims.held_by(1) == 2);
    claims.want(claim(3, Priority::interactive, "d"), 3);
    for (int i = 0; i < 4; ++i) {
        claims.tick();
        claims.obey();
    }
    CHECK(claims.held_by(3) >= 2);
    CHECK(claims.held_by(1) + claims.held_by(2) >= 1);
}

TEST_CASE("10,000 claims may wait, and one is served about as fast as of a thousand") {
    using Microseconds = std::chrono::duration<double, std::micro>;
    std::vector<Microseconds> times;
    for (const int of_each : {20, 200}) {
        Claims claims{{.overall = 16, .per_host = 16}};
        for (uid_t uid = 0; uid < 50; ++uid) {
            claims.want(claim(uid), of_each);
        }
        auto best = Microseconds::max();
        for (int round = 0; round < 5; ++round) {
            const auto begin = std::chrono::steady_clock::now();
            for (int i = 0; i < 100; ++i) {
                claims.got.pop_front();
                claims.settle();
            }
            best = std::min<Microseconds>(best, std::chrono::steady_clock::now() - begin);
        }
        times.push_back(best / 100);
        std::size_t served = 500;
        for (; !claims.got.empty(); ++served) {
            claims.got.pop_front();
            claims.settle();
        }
        CHECK(served == static_cast<std::size_t>(50 * of_each));
    }
    MESSAGE("microseconds a claim: ", times[0].count(), " of 1,000, ", times[1].count(),
            " of 10,000");
    CHECK(times[1] < 4 * times[0]);
}
