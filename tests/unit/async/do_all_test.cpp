#include "daemon/async/do_all.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "tests/support/run_coroutine.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

using namespace std::chrono_literals;
using wharf::Awaitable;
using wharf::async::do_all;

namespace {

struct Scene {
    std::vector<std::size_t> begun;
    std::size_t ended = 0;
    std::size_t under_way = 0;
    std::size_t most = 0;
};

/// The third fails when told to.
Awaitable<> one(Scene* scene, std::size_t place, bool fails) {
    scene->begun.push_back(place);
    scene->most = std::max(scene->most, ++scene->under_way);
    try {
        co_await wharf::async::sleep_for(fails && place != 2 ? 1h : 0s);
    } catch (...) {
        --scene->under_way;
        throw;
    }
    --scene->under_way;
    if (fails) {
        throw std::runtime_error{"the third"};
    }
    ++scene->ended;
}

Awaitable<> all(Scene* scene, std::size_t count, std::size_t at_once, bool fails) {
    co_await do_all("one of a test", count, at_once,
                    [scene, fails](std::size_t place) { return one(scene, place, fails); });
}

Awaitable<> every_one_is_done() {
    Scene scene;
    co_await all(&scene, 7, 3, false);
    CHECK(scene.begun == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 6});
    CHECK(scene.ended == 7);
    CHECK(scene.most == 3);
    co_await all(&scene, 0, 3, false);
    CHECK(scene.ended == 7);
}

Awaitable<> the_first_failure_ends_it() {
    Scene scene;
    bool failed = false;
    try {
        co_await all(&scene, 9, 3, true);
    } catch (const std::runtime_error&) {
        failed = true;
    }
    CHECK(failed);
    CHECK(scene.begun.size() == 3); // no more were begun
    CHECK(scene.under_way == 0);    // and none was left
}

Awaitable<> cancelled_with_its_caller() {
    Scene scene;
    wharf::async::TaskGroup group{co_await wharf::asio::this_coro::executor};
    group.spawn("the caller", all(&scene, 2, 2, true));
    while (scene.under_way < 2) {
        co_await wharf::async::sleep_for(0s);
    }
    group.cancel();
    co_await group.join();
    CHECK(scene.under_way == 0);
}

} // namespace

TEST_CASE("all are done, in order, so many at a time") {
    wharf::test::run(every_one_is_done());
}

TEST_CASE("the first that fails stops the others, and is rethrown when they are gone") {
    wharf::test::run(the_first_failure_ends_it());
}

TEST_CASE("whoever is cancelled leaves nothing behind") {
    wharf::test::run(cancelled_with_its_caller());
}
