#include "daemon/async/task_group.hpp"
#include "daemon/service/user_turns.hpp"

#include <boost/asio/io_context.hpp>
#include <doctest/doctest.h>

#include <memory>
#include <string>

namespace asio = boost::asio;
using wharf::Awaitable;
using wharf::async::TaskGroup;
using wharf::service::UserTurns;

namespace {

struct Scene {
    asio::io_context context;
    UserTurns turns{context.get_executor()};
    std::string order; ///< a letter for each turn

    void run() {
        context.restart();
        while (context.poll() > 0) {
            context.restart();
        }
    }
};

Awaitable<> work(Scene* scene, uid_t uid, int turns) {
    for (int i = 0; i < turns; ++i) {
        co_await scene->turns.take(uid);
        scene->order += static_cast<char>('a' + uid);
    }
}

} // namespace

TEST_CASE("whoever is alone goes on at once") {
    Scene scene;
    TaskGroup tasks{scene.context.get_executor()};
    tasks.spawn("alone", work(&scene, 0, 3));
    scene.run();
    CHECK(scene.order == "aaa");
}

TEST_CASE("accounts take turns however many tasks they have") {
    Scene scene;
    TaskGroup tasks{scene.context.get_executor()};
    for (int i = 0; i < 20; ++i) {
        tasks.spawn("many", work(&scene, 0, 1));
    }
    tasks.spawn("few", work(&scene, 1, 2));
    tasks.spawn("few", work(&scene, 2, 2));
    scene.run();
    CHECK(scene.order.size() == 24);
    CHECK(scene.order.substr(0, 7) == "aabcabc");
}

TEST_CASE("a task that is cancelled while it waits leaves the line to the others") {
    Scene scene;
    TaskGroup tasks{scene.context.get_executor()};
    auto cancelled = std::make_unique<TaskGroup>(scene.context.get_executor());
    tasks.spawn("first", work(&scene, 0, 1));
    cancelled->spawn("cancelled", work(&scene, 1, 1));
    tasks.spawn("second", work(&scene, 0, 1));
    SUBCASE("before its turn") {
        while (scene.order.empty()) {
            scene.context.restart();
            scene.context.poll_one();
        }
        cancelled->cancel();
    }
    SUBCASE("not at all") {}
    scene.run();
    CHECK(cancelled->size() == 0);
    tasks.spawn("third", work(&scene, 1, 1));
    scene.run();
    CHECK(scene.order.back() == 'b');
    CHECK(scene.order.substr(0, 1) == "a");
    CHECK(tasks.size() == 0);
}
