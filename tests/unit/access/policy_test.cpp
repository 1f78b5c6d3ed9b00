#include "daemon/access/accounts.hpp"
#include "daemon/access/policy.hpp"
#include "daemon/async/task_group.hpp"
#include "tests/support/run_coroutine.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <unistd.h>

using wharf::Awaitable;
using wharf::access::find_group;
using wharf::access::find_user;
using wharf::access::Names;
using wharf::access::Peer;
using wharf::access::Policy;
using wharf::access::Rights;
using wharf::access::Rules;

namespace {

constexpr uid_t owner = 900;
constexpr Rights nothing{};
constexpr Rights reading{.connect = true, .upload = true};
constexpr Rights fetching{.connect = true, .download = true};
constexpr Rights using_it{.connect = true, .download = true, .upload = true};
constexpr Rights all{.connect = true, .download = true, .upload = true, .administer = true};

/// A machine with the users alice (1), bob (2), root (0) and the groups wharf (10), adm (11).
Names machine(const Rules&) {
    return {.users = {{"alice", 1}, {"bob", 2}, {"root", 0}, {"ghost", std::nullopt}},
            .groups = {{"wharf", 10}, {"adm", 11}, {"wharf-admin", std::nullopt}}};
}

Peer peer(uid_t uid, gid_t gid = 100, std::vector<gid_t> groups = {}) {
    return {.uid = uid, .gid = gid, .pid = 1, .groups = std::move(groups)};
}

} // namespace

TEST_CASE("by default a group connects, root administers, and the daemon's account does all") {
    const Policy policy{Rules{}, owner, machine};
    CHECK(policy.rights(peer(1)) == nothing);
    CHECK(policy.rights(peer(1, 10)) == using_it);
    CHECK(policy.rights(peer(1, 100, {5, 10})) == using_it);
    CHECK(policy.rights(peer(0)) == all);
    CHECK(policy.rights(peer(owner)) == all);
    CHECK(policy.rights(peer(10)) == nothing); // numbers of groups are none of users
}

TEST_CASE("without any rules only the daemon's account may connect: root may not either") {
    const Policy policy{{.allow = {}, .download = {}, .admin = {}}, owner, machine};
    CHECK(policy.rights(peer(owner)) == all);
    CHECK(policy.rights(peer(0)) == nothing);
    CHECK(policy.rights(peer(1, 10, {11})) == nothing);
}

TEST_CASE("accounts are named by name, by number or all at once") {
    Rules rules{.allow = {}, .download = {}, .admin = {.users = {}, .groups = {"adm"}}};
    SUBCASE("by name") {
        rules.allow.users = {"alice"};
    }
    SUBCASE("as everybody") {
        rules.allow.users = {"*"};
    }
    SUBCASE("as every group") {
        rules.allow.groups = {"*"};
    }
    SUBCASE("by number") {
        rules.allow.users = {"1"};
        const Policy policy{rules, owner}; // numbers need no machine that knows them
        CHECK(policy.rights(peer(1)) == using_it);
        CHECK(policy.rights(peer(2)) == nothing);
    }
    const Policy policy{rules, owner, [](const Rules& asked) {
                            Names names = machine(asked);
                            names.users.emplace("1", 1);
                            return names;
                        }};
    CHECK(policy.rights(peer(1)) == using_it);
    CHECK(policy.rights(peer(2, 11)) == all); // administrators may connect
}

TEST_CASE("who may have files fetched is among those who may connect") {
    Rules rules{.allow = {.users = {"alice", "bob"}, .groups = {}},
                .download = {.users = {"alice", "ghost"}, .groups = {"adm"}},
                .admin = {.users = {"root"}, .groups = {}}};
    const Policy policy{rules, owner, machine};
    CHECK(policy.rights(peer(1)) == using_it);
    CHECK(policy.rights(peer(2)) == reading);
    CHECK(policy.rights(peer(2, 11)) == using_it);
    CHECK(policy.rights(peer(3, 11)) == nothing); // who may not connect downloads nothing
    CHECK(policy.rights(peer(0)) == all);
    rules.download = {.users = {"ghost"}, .groups = {}}; // somebody, though nobody knows who
    const Policy ghost{rules, owner, machine};
    CHECK(ghost.rights(peer(1)) == reading);
}

TEST_CASE("who may push is among those who may connect, and a right of its own") {
    Rules rules{.allow = {.users = {"alice", "bob"}, .groups = {}},
                .download = {},
                .upload = {.users = {"alice"}, .groups = {"adm"}},
                .admin = {.users = {"root"}, .groups = {}}};
    const Policy policy{rules, owner, machine};
    CHECK(policy.rights(peer(1)) == using_it);
    CHECK(policy.rights(peer(2)) == fetching);
    CHECK(policy.rights(peer(2, 11)) == using_it);
    CHECK(policy.rights(peer(3, 11)) == nothing);
    CHECK(policy.rights(peer(0)) == all);
    rules.download = {.users = {"bob"}, .groups = {}};
    const Policy apart{rules, owner, machine};
    CHECK(apart.rights(peer(1)) == reading);
    CHECK(apart.rights(peer(2)) == fetching);
}

TEST_CASE("who is not admitted is told which group to join, if any") {
    const auto hint = [](const Policy& policy) {
        try {
            policy.admit(peer(1));
        } catch (const wharf::Error& error) {
            CHECK(error.kind() == wharf::ErrorKind::forbidden);
            return error.hint();
        }
        return std::string{};
    };
    CHECK(hint(Policy{Rules{}, owner, machine}).find("group wharf,") != std::string::npos);
    CHECK(hint(Policy{{.allow = {}, .download = {}, .admin = {}}, owner, machine}).find("group") ==
          std::string::npos);
    CHECK(Policy{Rules{}, owner, machine}.admit(peer(1, 10)) == using_it);
}

namespace {

Awaitable<> names_are_looked_up_again() {
    wharf::async::BlockingPool pool{1};
    wharf::async::TaskGroup tasks{co_await wharf::asio::this_coro::executor};
    wharf::async::Event asked;
    int calls = 0;
    Names now{.users = {{"alice", 1}}, .groups = {}};
    Rules rules{.allow = {.users = {"alice"}, .groups = {}}, .download = {}, .admin = {}};
    Policy policy{rules, owner, [&](const Rules&) {
                      ++calls;
                      return now;
                  }};
    CHECK(calls == 1); // before anybody can be refused
    CHECK(policy.rights(peer(1)) == using_it);
    CHECK(policy.rights(peer(2)) == nothing);

    tasks.spawn("names", policy.keep_names(pool));
    co_await wharf::async::sleep_for(std::chrono::milliseconds{0});
    rules.allow.users = {"alice", "bob"};
    now.users = {{"alice", 1}, {"bob", 2}};
    policy.set(rules);
    CHECK(policy.rights(peer(1)) == using_it); // what is known holds at once
    while (policy.rights(peer(2)) != using_it) {
        co_await wharf::async::sleep_for(std::chrono::milliseconds{1});
    }

    now.users = {{"bob", std::nullopt}}; // alice could not be asked for, bob has gone
    policy.set(rules);
    while (policy.rights(peer(2)) == using_it) {
        co_await wharf::async::sleep_for(std::chrono::milliseconds{1});
    }
    CHECK(policy.rights(peer(1)) == using_it);

    rules.allow.users = {};
    policy.set(rules);
    CHECK(policy.rights(peer(1)) == nothing); // taken away at once
    tasks.cancel();
    co_await tasks.join();
}

} // namespace

TEST_CASE("names are looked up again, and what could not be asked stays as it was") {
    wharf::test::run(names_are_looked_up_again());
}

TEST_CASE("numbers of accounts come from the machine, or stand for themselves") {
    CHECK(find_user("root").value() == uid_t{0});
    CHECK(find_group("root").value() == gid_t{0});
    CHECK(find_user("4711").value() == uid_t{4711});
    CHECK(find_group("4711").value() == gid_t{4711});
    CHECK_FALSE(find_user("there is no such user").value());
    CHECK_FALSE(find_group("there is no such group").value());
    // -1 in 32 bits means "no account" to the kernel.
    CHECK_FALSE(find_user(std::to_string(std::numeric_limits<uid_t>::max())).value());
}
