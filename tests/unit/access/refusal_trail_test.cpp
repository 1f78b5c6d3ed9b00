#include "daemon/access/refusal_trail.hpp"
#include "tests/unit/access/scene.hpp"

#include <doctest/doctest.h>

using namespace wharf::access;
using namespace std::chrono_literals;

namespace {

const PolicyRefusal refusal{"only some may", "ask them", "model org/name"};

struct Scene {
    wharf::BootClock::time_point now{1h};
    test::FakeAudit audit;
    RefusalTrail trail{audit, [this] { return now; }};
};

} // namespace

TEST_CASE("a refusal by the rules of this machine is one entry") {
    Scene scene;
    scene.trail.note(1001, "org.wharf.Downloads.Download", refusal);
    REQUIRE(scene.audit.events.size() == 1);
    const AuditEvent& event = scene.audit.events.front();
    CHECK(event.action == AuditEvent::Action::refuse);
    CHECK(event.uid == 1001);
    CHECK(event.repo == "model org/name");
    CHECK(event.detail == "org.wharf.Downloads.Download: only some may");
    CHECK(event.result == "forbidden");
    CHECK(event.restricted);
}

TEST_CASE("the same again within a minute is counted, and told with the next entry") {
    Scene scene;
    for (int i = 0; i < 5; ++i) {
        scene.trail.note(1001, "connect", refusal);
    }
    CHECK(scene.audit.events.size() == 1);
    scene.trail.note(1002, "connect", refusal); // of an account of its own
    CHECK(scene.audit.events.size() == 2);
    scene.trail.note(1001, "another", refusal);
    CHECK(scene.audit.events.back().detail == "another: only some may; and 4 before");
    scene.now += 61s;
    scene.trail.note(1001, "another", refusal);
    CHECK(scene.audit.events.back().detail == "another: only some may");
}

TEST_CASE("nobody floods the audit with what he is refused") {
    Scene scene;
    for (std::size_t i = 0; i < 10'000; ++i) {
        scene.trail.note(1001, i % 2 == 0 ? "a" : "b", refusal);
    }
    CHECK(scene.audit.events.size() == RefusalTrail::most_in_a_minute);
    scene.now += 61s;
    scene.trail.note(1001, "a", refusal);
    CHECK(scene.audit.events.back().detail == "a: only some may; and 9940 before");
}
