#include "daemon/config_read.hpp"

#include <doctest/doctest.h>

using wharf::Config;
using wharf::access::AuditScope;
using wharf::access::QuotaRules;

namespace {

constexpr std::uint64_t gib = 1ULL << 30;

Config read(std::string_view text) {
    return wharf::config::read_text(text, "x.toml", Config{}, {}).value();
}

std::string refusal(std::string_view text) {
    const auto outcome = wharf::config::read_text(text, "x.toml", Config{}, {});
    REQUIRE_MESSAGE(outcome.has_error(), text);
    return outcome.error().message();
}

} // namespace

TEST_CASE("quotas for everybody, for users and for groups") {
    const auto quota = read(R"(
[quota]
bytes = "500GiB"
running_jobs = 4
queued_jobs = 20
staging = "80GiB"
[quota.user.alice]
bytes = "2TiB"
[quota.user.1001]
running_jobs = 0
staging = "0"
[quota.group.interns]
bytes = "50GiB"
queued_jobs = 2
)")
                           .quota;
    QuotaRules expected;
    expected.bytes = 500 * gib;
    expected.running_jobs = 4;
    expected.queued_jobs = 20;
    expected.staging = 80 * gib;
    expected.users["alice"].bytes = 2048 * gib;
    expected.users["1001"].running_jobs = 0;
    expected.users["1001"].staging = 0;
    expected.groups["interns"] = {.bytes = 50 * gib, .running_jobs = {}, .queued_jobs = 2};
    CHECK(quota == expected);
}

TEST_CASE("no quota said is none") {
    CHECK(read("").quota == QuotaRules{});
    CHECK(read("[quota]\nbytes = \"0\"\n[quota.user]\n[quota.group]").quota == QuotaRules{});
}

TEST_CASE("what cannot be used in [quota] is named with its line") {
    struct Row {
        const char* text;
        const char* message;
    };
    const Row rows[]{
        {"[quota]\nbytes = 5",
         "x.toml:2: [quota] bytes: must be a size in quotes, such as \"64MiB\""},
        {"[quota]\nbites = \"5GB\"",
         "x.toml:2: unknown key \"bites\" in [quota]; did you mean \"bytes\"?"},
        {"[quota.users.bob]\nbytes = \"5GB\"",
         "x.toml:1: unknown key \"users\" in [quota]; did you mean \"user\"?"},
        {"[quota.user.bob]\nuser = \"5GB\"",
         "x.toml:2: unknown key \"user\" in [quota.user.bob]; did you mean \"bytes\"?"},
        {"[quota.user.bob]\nrunning_jobs = -1",
         "x.toml:2: [quota.user.bob] running_jobs: must be between 0 and 10000"},
        {"[quota.user.bob]\nstageing = \"5GB\"",
         "x.toml:2: unknown key \"stageing\" in [quota.user.bob]; did you mean \"staging\"?"},
        {"[quota.group.\"a b\"]", "x.toml:1: [quota.group] \"a b\" is not the name of a group"},
        {"[quota.group]\nlab = 5",
         "x.toml:2: \"lab\" must be a table: write [quota.group.lab] above its quota"},
        {"[quota]\nuser = 5",
         "x.toml:2: \"user\" must be a table: write [quota.user.NAME] above its quota"},
        {"[[quota]]", "x.toml:1: \"quota\" must be a table: write [quota] above its keys"},
        {"[audit]\nlog = \"some\"",
         "x.toml:2: [audit] log: must be \"restricted\", \"all\" or \"none\""},
        {"[audit]\nfile = \"audit.log\"",
         "x.toml:2: [audit] file: must be an absolute path, not \"audit.log\""},
    };
    for (const auto& [text, message] : rows) {
        CAPTURE(text);
        CHECK(refusal(text) == message);
    }
}

TEST_CASE("what is taken down for an audit, and where") {
    CHECK(read("").audit == Config::Audit{AuditScope::restricted, ""});
    CHECK(read("[audit]\nlog = \"all\"\nfile = \"/var/log/a.log\"").audit ==
          Config::Audit{AuditScope::all, "/var/log/a.log"});
    CHECK(read("[audit]\nlog = \"none\"").audit.log == AuditScope::none);
}
