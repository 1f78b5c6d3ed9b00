#include "daemon/access/quota_limits.hpp"

#include <doctest/doctest.h>

using wharf::access::Account;
using wharf::access::limits_for;
using wharf::access::QuotaLimits;
using wharf::access::QuotaRules;

namespace {

constexpr uid_t owner = 200;

/// Everybody: 100 bytes, 1 and 5 jobs, 70 bytes staged.
QuotaRules rules() {
    QuotaRules rules;
    rules.bytes = 100;
    rules.running_jobs = 1;
    rules.queued_jobs = 5;
    rules.staging = 70;
    return rules;
}

QuotaLimits limits(const QuotaRules& rules, Account account) {
    return limits_for(rules, account, owner);
}

} // namespace

TEST_CASE("nothing said is no limit") {
    CHECK(limits({}, {1000, "alice", {}}) == QuotaLimits{});
    CHECK(limits(rules(), {1000, "alice", {}}) == QuotaLimits{100, 1, 5, 70});
    CHECK(limits(rules(), {1000, "", {}}) == QuotaLimits{100, 1, 5, 70});
}

TEST_CASE("of several groups the most generous counts, for each limit by itself") {
    auto with = rules();
    with.groups["few"] = {.bytes = 10, .running_jobs = 9, .queued_jobs = {}, .staging = 7};
    with.groups["1002"] = {.bytes = 500, .running_jobs = 2, .queued_jobs = {}, .staging = 300};
    with.groups["others"] = {.bytes = 0, .running_jobs = 0, .queued_jobs = 0, .staging = 0};
    CHECK(limits(with, {1000, "alice", {"users", "few", "more", "1002"}}) ==
          QuotaLimits{500, 9, 5, 300});
    CHECK(limits(with, {1000, "alice", {"few"}}) ==
          QuotaLimits{10, 9, 5, 7}); // less than everybody
    CHECK(limits(with, {1000, "alice", {"few", "others"}}) == QuotaLimits{});
    CHECK(limits(with, {1000, "alice", {"others", "few"}}) == QuotaLimits{});
}

TEST_CASE("an entry of one's own wins over groups, by name or number") {
    auto with = rules();
    with.groups["lab"] = {.bytes = 900, .running_jobs = 9, .queued_jobs = {}};
    with.users["alice"] = {.bytes = 50, .running_jobs = {}, .queued_jobs = {}};
    with.users["1001"] = {.bytes = 0, .running_jobs = {}, .queued_jobs = 7, .staging = 8};
    CHECK(limits(with, {1000, "alice", {"lab"}}) == QuotaLimits{50, 9, 5, 70});
    CHECK(limits(with, {1001, "bob", {"lab"}}) == QuotaLimits{std::nullopt, 9, 7, 8});
    CHECK(limits(with, {1001, "", {}}) == QuotaLimits{std::nullopt, 1, 7, 8});
}

TEST_CASE("root and the daemon's account are held by entries of their own only") {
    auto with = rules();
    with.groups["root"] = {.bytes = 1, .running_jobs = 1, .queued_jobs = 1, .staging = 1};
    CHECK(limits(with, {0, "root", {"root"}}) == QuotaLimits{});
    CHECK(limits(with, {owner, "wharf", {"root"}}) == QuotaLimits{});
    with.users["root"] = {.bytes = 5, .running_jobs = {}, .queued_jobs = {}};
    CHECK(limits(with, {0, "root", {"root"}}) ==
          QuotaLimits{5, std::nullopt, std::nullopt, std::nullopt});
}
