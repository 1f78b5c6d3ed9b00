#include "daemon/access/known_accounts.hpp"
#include "tests/support/run_coroutine.hpp"

#include <boost/asio/this_coro.hpp>
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <memory>

namespace asio = boost::asio;
using wharf::Awaitable;
using wharf::access::Account;
using wharf::access::KnownAccounts;
using wharf::access::look_up_account;
using wharf::test::run;

namespace {

Awaitable<> asked_once() {
    const auto count = std::make_shared<std::atomic<int>>(0);
    KnownAccounts accounts{co_await asio::this_coro::executor, [count](uid_t uid) {
                               ++*count;
                               return Account{uid, "alice", {"lab"}};
                           }};
    std::vector<uid_t> news;
    accounts.set_on_news([&news](uid_t uid) { news.push_back(uid); });
    CHECK(accounts.known(7) == Account{7, "", {}}); // at once
    const Account found = co_await accounts.find(7);
    CHECK(found == Account{7, "alice", {"lab"}});
    CHECK(accounts.known(7) == found);
    CHECK(*count == 1);
    CHECK(news == std::vector<uid_t>{7});
}

/// A directory that does not answer keeps nobody for long, and the daemon's end neither.
Awaitable<> hanging() {
    const auto release = std::make_shared<std::promise<void>>();
    const auto released = release->get_future().share();
    {
        KnownAccounts accounts{co_await asio::this_coro::executor, [released](uid_t uid) {
                                   released.wait();
                                   return Account{uid, "late", {}};
                               }};
        const auto begin = std::chrono::steady_clock::now();
        const Account found = co_await accounts.find(7);
        CHECK(found == Account{7, "", {}});
        CHECK(std::chrono::steady_clock::now() - begin >= KnownAccounts::longest_wait);
        CHECK(accounts.known(8).name.empty());
    }
    release->set_value();
}

Awaitable<> by_name() {
    KnownAccounts accounts{co_await asio::this_coro::executor};
    const auto root = co_await accounts.find_uid("root");
    CHECK(root == 0);
    const auto number = co_await accounts.find_uid("4242");
    CHECK(number == 4242);
    const auto nobody = co_await accounts.find_uid("no-such-user-here");
    CHECK_FALSE(nobody.has_value());
}

} // namespace

TEST_CASE("the machine is asked once, and nobody waits who need not") {
    run(asked_once());
}

TEST_CASE("a directory that hangs is not waited for") {
    run(hanging());
}

TEST_CASE("accounts are found by name and by number") {
    run(by_name());
}

TEST_CASE("the machine knows root and its groups") {
    const Account root = look_up_account(0);
    CHECK(root.name == "root");
    CHECK(std::ranges::count(root.groups, "0") == 1);
    CHECK(std::ranges::count(root.groups, "root") == 1);
    CHECK(look_up_account(4'000'000'000) == Account{4'000'000'000, "", {}});
}
