// Users with files of different sizes on hosts with links of their own, in virtual time: the whole
// of Connections, asked and ticked as flights and the daemon do, with fetches that only count.
#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/scheduling/connections.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <list>
#include <map>
#include <optional>
#include <string>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::scheduling::Claimant;
using wharf::scheduling::Connections;
using wharf::scheduling::Priority;

namespace {

constexpr std::uint64_t mib = 1 << 20;
constexpr std::uint64_t piece = 16 * mib;

struct Link {
    double bytes_a_second = 200e6;
    double of_one_connection = 1e9;
    std::chrono::milliseconds round_trip = 20ms; ///< before the first byte of a request
    std::chrono::milliseconds gives_back = 0ms;  ///< after it was asked
};

struct Load {
    Claimant who;
    std::string host = "cdn";
    std::uint64_t file_size = 16 * mib;
    int workers = 32;
};

class World {
  public:
    explicit World(Connections::Limits limits) : connections_{limits} {}
    ~World() {
        wharf::asio::post(context_, [this] { workers_.cancel(); });
        context_.restart();
        context_.poll();
    }

    std::map<std::string, Link> links{{"cdn", {}}};
    std::map<uid_t, std::uint64_t> moved;
    std::size_t asked_back = 0;
    std::size_t fetches = 0;

    void start(Load load) {
        for (int i = 0; i < load.workers; ++i) {
            workers_.spawn("worker", work(load));
        }
    }

    void run(std::chrono::milliseconds time) {
        for (const auto end = now_ + time; now_ < end; now_ += step) {
            context_.restart();
            context_.poll();
            for (const auto& [host, link] : links) {
                move_bytes(host, link);
            }
            context_.restart();
            context_.poll();
            if ((now_ - Connections::Clock::time_point{}) % 200ms == 0ms) {
                connections_.tick(now_);
            }
        }
    }

    /// As run(), counting from here.
    void measure(std::chrono::milliseconds time) {
        moved.clear();
        asked_back = 0;
        fetches = 0;
        run(time);
    }

    std::size_t held_by(uid_t uid) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            fetches_, [&](const Fetch& fetch) { return fetch.uid == uid && !fetch.over; }));
    }
    std::size_t target() const { return connections_.status().at(0).target; }

  private:
    struct Fetch {
        uid_t uid = 0;
        std::string host;
        std::uint64_t lacking = 0;
        std::shared_ptr<Connections::Line> line;
        Connections::Clock::time_point first_byte;
        std::optional<Connections::Clock::time_point> asked;
        bool over = false;
        wharf::async::Event ended;
    };

    Awaitable<> work(Load load) {
        for (;;) {
            for (std::uint64_t left = load.file_size; left > 0;) {
                const auto size = std::min(piece, left);
                std::uint64_t lacking = size;
                while (lacking > 0) {
                    Connections::Permit permit = co_await connections_.acquire(
                        {.who = load.who, .host = load.host, .bytes = lacking});
                    lacking = co_await fetch(load, permit.line(), lacking);
                }
                left -= size;
            }
        }
    }

    Awaitable<std::uint64_t> fetch(Load load, std::shared_ptr<Connections::Line> line,
                                   std::uint64_t size) {
        ++fetches;
        auto& own = fetches_.emplace_back();
        own.uid = load.who.uid;
        own.host = load.host;
        own.lacking = size;
        own.line = line;
        own.first_byte = now_ + links[load.host].round_trip;
        const auto place = std::prev(fetches_.end());
        const wharf::ScopeExit leave{[this, place] { fetches_.erase(place); }};
        while (!own.over) {
            co_await own.ended.wait();
        }
        const auto lacking = own.lacking;
        co_return lacking;
    }

    /// Shares a link equally among its connections, none faster than one can be.
    void move_bytes(const std::string& host, const Link& link) {
        std::vector<Fetch*> active;
        for (auto& fetch : fetches_) {
            if (fetch.host == host && fetch.first_byte <= now_ && !fetch.over) {
                active.push_back(&fetch);
            }
        }
        const double share =
            std::min(link.bytes_a_second /
                         static_cast<double>(std::max<std::size_t>(active.size(), 1)),
                     link.of_one_connection) *
            std::chrono::duration<double>{step}.count();
        for (auto* fetch : active) {
            const auto count = std::min(fetch->lacking, static_cast<std::uint64_t>(share));
            fetch->lacking -= count;
            fetch->line->received(count);
            moved[fetch->uid] += count;
        }
        for (auto& fetch : fetches_) {
            if (fetch.line->wanted_back() && !fetch.asked) {
                fetch.asked = now_;
                ++asked_back;
            }
            const bool gives_back =
                fetch.asked && now_ - *fetch.asked >= links[fetch.host].gives_back;
            if (!fetch.over && (fetch.lacking == 0 || gives_back)) {
                fetch.over = true;
                fetch.ended.notify_all();
            }
        }
    }

    static constexpr auto step = 10ms;
    Connections connections_;
    wharf::asio::io_context context_;
    std::list<Fetch> fetches_;
    wharf::async::TaskGroup workers_{context_.get_executor()};
    Connections::Clock::time_point now_{1h};
};

double ratio(std::uint64_t a, std::uint64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
}

} // namespace

TEST_CASE("two users at full load move equal bytes whatever the size of their files") {
    struct Case {
        const char* name;
        std::uint64_t small;
        std::uint64_t large;
        Link link;
        int workers_of_large = 32;
    };
    const Case cases[] = {
        {"1 MiB and 1 GiB", mib, 1024 * mib, {}},
        {"3 MiB and 20 MiB", 3 * mib, 20 * mib, {}},
        {"512 KiB and 64 MiB", mib / 2, 64 * mib, {}},
        {"as many connections as the limit", mib, 1024 * mib, {}, 16},
        {"long way", 4 * mib, 1024 * mib, {.of_one_connection = 5e6, .round_trip = 300ms}},
        {"slow link", 4 * mib, 1024 * mib, {.bytes_a_second = 20e6}},
    };
    for (const auto& c : cases) {
        CAPTURE(c.name);
        World world{{.overall = 32, .per_host = 16}};
        world.links["cdn"] = c.link;
        world.start({.who = {.uid = 1}, .file_size = c.small});
        world.run(3s);
        world.start({.who = {.uid = 2}, .file_size = c.large, .workers = c.workers_of_large});
        world.run(2s);
        world.measure(120s);
        MESSAGE(std::string{c.name}, ": ", ratio(world.moved[1], world.moved[2]), ", asked back ",
                world.asked_back, " of ", world.fetches);
        CHECK(ratio(world.moved[1], world.moved[2]) > 0.95);
        CHECK(ratio(world.moved[1], world.moved[2]) < 1.05);
        CHECK(world.asked_back < world.fetches / 10 + 10);
    }
}

TEST_CASE("an urgent claim on a host full of background ones has its share within a second") {
    for (const int people : {1, 4, 40}) {
        for (const double rate : {20e6, 1000e6}) {
            CAPTURE(people);
            CAPTURE(rate);
            World world{{.overall = 32, .per_host = 16}};
            world.links["cdn"] = {.bytes_a_second = rate, .gives_back = 100ms};
            world.start({.who = {.uid = 1, .priority = Priority::background}, .workers = 64});
            world.run(90s);
            const auto target = world.target();
            world.start({.who = {.uid = 2, .priority = Priority::interactive}, .workers = people});
            world.run(1s);
            const auto share = std::min<std::size_t>(static_cast<std::size_t>(people), target - 1);
            CHECK(world.held_by(2) == share);
            CHECK(world.held_by(1) == 1);
            world.measure(20s);
            CHECK(world.moved[2] > world.moved[1] * (share * 9 / 10));
            CHECK(world.moved[1] > 0);
            CHECK(world.asked_back < 5);
        }
    }
}

TEST_CASE("a newcomer of the same class has its half of the connections within a second") {
    World world{{.overall = 32, .per_host = 16}};
    world.links["cdn"] = {.bytes_a_second = 10e9, .of_one_connection = 1e6, .gives_back = 100ms};
    world.start({.who = {.uid = 1}});
    world.run(60s);
    REQUIRE(world.held_by(1) == 16);
    world.start({.who = {.uid = 2}});
    world.run(1s);
    CHECK(world.held_by(2) >= 4);
    world.run(4s);
    CHECK(world.held_by(2) >= 7);
    world.measure(300s);
    CHECK(ratio(world.moved[1], world.moved[2]) > 0.95);
    CHECK(ratio(world.moved[1], world.moved[2]) < 1.05);
}

TEST_CASE("asking back comes to rest with all classes and many users at full load") {
    World world{{.overall = 32, .per_host = 16}};
    world.links["cdn"] = {.bytes_a_second = 10e9, .of_one_connection = 2e6, .gives_back = 100ms};
    uid_t uid = 0;
    for (const auto priority : {Priority::background, Priority::normal, Priority::interactive}) {
        for (const std::uint64_t size : {2 * mib, 16 * mib, 500 * mib}) {
            world.start({.who = {.uid = ++uid, .priority = priority}, .file_size = size});
            world.run(5s);
        }
    }
    world.run(60s);
    world.measure(600s);
    CHECK(world.asked_back < world.fetches / 20);
    const auto of_class = [&](uid_t first) {
        return world.moved[first] + world.moved[first + 1] + world.moved[first + 2];
    };
    CHECK(ratio(of_class(7), of_class(4)) > 1.7);
    CHECK(ratio(of_class(7), of_class(4)) < 2.5);
    CHECK(ratio(of_class(4), of_class(1)) > 3);
    CHECK(ratio(of_class(4), of_class(1)) < 6);
    for (uid_t first = 1; first < 9; first += 3) {
        CHECK(ratio(world.moved[first], world.moved[first + 2]) > 0.9);
        CHECK(ratio(world.moved[first], world.moved[first + 2]) < 1.1);
    }
}

TEST_CASE("where there is one connection, classes take turns by weight") {
    World world{{.overall = 1, .per_host = 1}};
    world.links["cdn"] = {.bytes_a_second = 5e6, .gives_back = 100ms};
    world.start({.who = {.uid = 1, .priority = Priority::background}});
    world.run(10s);
    world.start({.who = {.uid = 2, .priority = Priority::interactive}});
    world.run(1s);
    CHECK(world.held_by(2) == 1);
    world.measure(1000s);
    CHECK(ratio(world.moved[2], world.moved[1]) > 7);
    CHECK(ratio(world.moved[2], world.moved[1]) < 9);
}

TEST_CASE("one lone user of any class gets everything") {
    for (const auto priority : {Priority::interactive, Priority::normal, Priority::background}) {
        World world{{.overall = 32, .per_host = 16}};
        world.links["cdn"] = {.bytes_a_second = 10e9, .of_one_connection = 5e6};
        world.start({.who = {.uid = 1, .priority = priority}});
        world.run(30s);
        CHECK(world.held_by(1) >= 14);
        CHECK(world.asked_back == 0);
    }
}

TEST_CASE("many small files come to use the connections there may be") {
    World world{{.overall = 32, .per_host = 16}};
    world.links["cdn"] = {.round_trip = 60ms};
    world.start({.who = {.uid = 1}, .file_size = 8 << 10, .workers = 100});
    world.run(5s);
    CHECK(world.held_by(1) == 16);
}
