#include "base/error.hpp"
#include "daemon/access/audit_sinks.hpp"
#include "daemon/access/audit_trail.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/this_coro.hpp>
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <atomic>
#include <fstream>
#include <future>
#include <sys/stat.h>

namespace asio = boost::asio;
using namespace wharf::access;
using wharf::Awaitable;
using wharf::Error;
using wharf::ErrorKind;
using wharf::test::run;
using wharf::test::TempDir;
using Action = AuditEvent::Action;

namespace {

AuditEvent event(std::string detail = "main", bool restricted = true) {
    return {.action = Action::refuse,
            .uid = 1000,
            .repo = "model org/name",
            .detail = std::move(detail),
            .result = "gated",
            .restricted = restricted};
}

AuditRecord record(const AuditEvent& event) {
    using namespace std::chrono;
    auto made = record_of(event, system_clock::time_point{milliseconds{1'767'225'600'123}});
    made.user = "alice";
    return made;
}

std::vector<std::string> lines_of(const std::filesystem::path& file) {
    std::ifstream in{file};
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

/// Remembers what it took; fails, or waits for the test, when told to.
struct MemorySink final : AuditSink {
    void write(const AuditRecord& record) override {
        if (hold.valid()) {
            hold.wait();
        }
        if (failures > 0) {
            --failures;
            throw Error{ErrorKind::no_space, "the disk is full"};
        }
        lines.push_back(fmt::format("{} {} {}", record.user, record.detail, record.result));
    }
    std::shared_future<void> hold;
    std::atomic<int> failures = 0;
    std::vector<std::string> lines;
};

Account look_up(uid_t uid) {
    return {uid, uid == 1000 ? "alice" : "", {}};
}

struct Scene {
    Scene(wharf::Executor executor, AuditScope scope)
        : accounts{executor, look_up}, trail{executor, accounts, scope, sink} {}
    std::shared_ptr<MemorySink> sink = std::make_shared<MemorySink>();
    KnownAccounts accounts;
    AuditTrail trail;
};

using Lines = std::vector<std::string>;

Awaitable<> in_order_with_names() {
    Scene scene{co_await asio::this_coro::executor, AuditScope::all};
    scene.trail.record(event("1"));
    auto other = event("2", false);
    other.uid = 7;
    scene.trail.record(other);
    scene.trail.record(event("3\n"));
    co_await scene.trail.stop();
    CHECK(scene.sink->lines == Lines{"alice 1 gated", " 2 gated", "alice 3\\x0a gated"});
}

Awaitable<> scopes() {
    Scene scene{co_await asio::this_coro::executor, AuditScope::restricted};
    CHECK((scene.trail.wants(true) && !scene.trail.wants(false)));
    scene.trail.record(event("1", false));
    scene.trail.record(event("2"));
    scene.trail.set(AuditScope::none, scene.sink);
    CHECK_FALSE((scene.trail.wants(true) || scene.trail.wants(false)));
    scene.trail.record(event("3"));
    scene.trail.set(AuditScope::all, scene.sink);
    CHECK((scene.trail.wants(true) && scene.trail.wants(false)));
    scene.trail.record(event("4", false));
    co_await scene.trail.stop();
    CHECK(scene.sink->lines == Lines{"alice 2 gated", "alice 4 gated"});
}

/// set() also ends the wait after a failure, so that no test has to.
Awaitable<> tried_again() {
    Scene scene{co_await asio::this_coro::executor, AuditScope::all};
    scene.sink->failures = 1;
    scene.trail.record(event("1"));
    scene.trail.record(event("2"));
    while (scene.sink->failures > 0) {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
    }
    co_await scene.trail.stop(); // tries once more
    CHECK(scene.sink->lines == Lines{"alice 1 gated", "alice 2 gated"});
}

Awaitable<> given_up_at_the_end() {
    Scene scene{co_await asio::this_coro::executor, AuditScope::all};
    scene.sink->failures = 1000;
    scene.trail.record(event("1"));
    co_await scene.trail.stop();
    CHECK(scene.sink->lines.empty());
}

Awaitable<> dropped_and_counted() {
    Scene scene{co_await asio::this_coro::executor, AuditScope::all};
    std::promise<void> release;
    scene.sink->hold = release.get_future().share();
    const auto most = AuditTrail::most_waiting;
    for (std::size_t i = 0; i < most + 10; ++i) {
        scene.trail.record(event(std::to_string(i)));
    }
    release.set_value();
    co_await scene.trail.stop();
    REQUIRE(scene.sink->lines.size() == most + 1);
    CHECK(scene.sink->lines[most - 1] == fmt::format("alice {} gated", most - 1));
    CHECK(scene.sink->lines[most].ends_with(" 10 events could not be written lost"));
}

} // namespace

TEST_CASE("a record as a line and as JSON") {
    const auto full = record(event());
    CHECK(to_line(full) == "refuse alice (uid 1000) model org/name: gated (main)");
    CHECK(to_json(full) == R"({"time":"2026-01-01T00:00:00.123Z","action":"refuse","uid":1000,)"
                           R"("user":"alice","repo":"model org/name","detail":"main",)"
                           R"("result":"gated"})");
    auto bare = record_of(
        {.action = Action::login, .uid = 7, .repo = {}, .detail = {}, .result = "ok"}, full.time);
    CHECK(to_line(bare) == "login uid 7: ok");
    CHECK(to_json(bare) ==
          R"({"time":"2026-01-01T00:00:00.123Z","action":"login","uid":7,"result":"ok"})");
}

TEST_CASE("text from outside cannot forge lines or members") {
    const auto made = record(event("x\"} \n\r\x1b[31m\\ \xff\xc3\xa4\x7f\0y"));
    CHECK(made.detail == R"(x"} \x0a\x0d\x1b[31m\x5c \xff\xc3\xa4\x7f)");
    CHECK(to_json(made).find(R"("detail":"x\"} \\x0a\\x0d\\x1b[31m\\x5c \\xff\\xc3\\xa4\\x7f")") !=
          std::string::npos);
    CHECK(printable(std::string(5000, 'a')).size() == 1024 + 3);
}

TEST_CASE("each action has a name of its own") {
    std::vector<std::string_view> names;
    for (const auto action : {Action::grant, Action::refuse, Action::revoke, Action::download,
                              Action::login, Action::logout, Action::admin}) {
        names.push_back(name(action));
    }
    CHECK(names == std::vector<std::string_view>{"grant", "refuse", "revoke", "download", "login",
                                                 "logout", "admin"});
}

TEST_CASE("the file is for its owner alone, and is only added to") {
    const TempDir folder;
    const auto path = folder / "audit.log";
    std::ofstream{path} << "what was there\n";
    ::chmod(path.c_str(), 0640); // an administrator's choice stays
    FileSink{path}.write(record(event("1")));
    CHECK(lines_of(path).size() == 2);
    std::filesystem::rename(path, folder / "audit.log.1"); // as logrotate does
    FileSink again{path};
    again.write(record(event("2")));
    again.write(record(event("3")));
    struct stat facts{};
    REQUIRE(::stat(path.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0600);
    CHECK(lines_of(path) == Lines{to_json(record(event("2"))), to_json(record(event("3")))});
}

TEST_CASE("a link or a pipe is no audit file") {
    const TempDir folder;
    std::ofstream{folder / "victim"} << "precious";
    std::filesystem::create_symlink(folder / "victim", folder / "link");
    ::mkfifo((folder / "pipe").c_str(), 0600);
    for (const auto* name : {"link", "pipe", "no/such/folder"}) {
        CAPTURE(name);
        CHECK_THROWS_AS(FileSink{folder / name}.write(record(event())), Error);
    }
    CHECK(lines_of(folder / "victim") == Lines{"precious"});
}

TEST_CASE("a full disk is an error each time") {
    if (!std::filesystem::exists("/dev/full")) {
        return;
    }
    CHECK_THROWS_AS(FileSink{"/dev/full"}.write(record(event())), Error); // not even a file
}

TEST_CASE("the journal gets fields, and none that are empty") {
    JournalSink::Fields sent;
    JournalSink sink{[&sent](const JournalSink::Fields& fields) { sent = fields; }};
    sink.write(record(event()));
    CHECK(sent ==
          JournalSink::Fields{{"MESSAGE", "refuse alice (uid 1000) model org/name: gated (main)"},
                              {"WHARF_ACTION", "refuse"},
                              {"WHARF_UID", "1000"},
                              {"WHARF_USER", "alice"},
                              {"WHARF_REPO", "model org/name"},
                              {"WHARF_DETAIL", "main"},
                              {"WHARF_RESULT", "gated"}});
    sink.write(record_of(
        {.action = Action::login, .uid = 7, .repo = {}, .detail = {}, .result = "ok"}, {}));
    CHECK(sent.size() == 4);
}

TEST_CASE("events are written in their order, with names and made harmless") {
    run(in_order_with_names());
}

TEST_CASE("only what is in the scope is taken down") {
    run(scopes());
}

TEST_CASE("what could not be written is written later") {
    run(tried_again());
}

TEST_CASE("a sink that always fails does not hold up the end") {
    run(given_up_at_the_end());
}

TEST_CASE("too many events are dropped, and their number is told") {
    run(dropped_and_counted());
}
