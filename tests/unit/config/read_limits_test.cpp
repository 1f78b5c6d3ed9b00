#include "daemon/config_read.hpp"

#include <doctest/doctest.h>

using wharf::Config;
using wharf::Limits;
using wharf::LimitsPeriod;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t mib = 1ULL << 20;

Limits read(std::string_view text) {
    return wharf::config::read_text(text, "x.toml", Config{}, {}).value().limits;
}

std::string refusal(std::string_view text) {
    const auto outcome = wharf::config::read_text(text, "x.toml", Config{}, {});
    REQUIRE_MESSAGE(outcome.has_error(), text);
    return outcome.error().message();
}

std::string days_of(const char* text) {
    const auto limits =
        read("[[limits.schedule]]\ndownload_rate = \"0\"\ndays = \"" + std::string{text} + "\"");
    auto days = limits.schedule.at(0).days.to_string();
    return {days.rbegin(), days.rend()}; // Monday first
}

} // namespace

TEST_CASE("limits for all, for classes, for users, and for times") {
    const auto limits = read(R"(
[limits]
download_rate = "200MiB"
upload_rate = "100MiB"
[limits.class.background]
download_rate = "50MiB"
upload_rate = "40MiB"
[limits.class.interactive]
download_rate = "0"
[limits.user.alice]
download_rate = "20MiB"
[limits.user.carl]
upload_rate = "0"
[limits.user.1001]
download_rate = "1TiB"
[[limits.schedule]]
days = "mon-fri"
from = "08:00"
to = "18:30"
download_rate = "30MiB"
class.normal.download_rate = "16KiB"
user.alice.upload_rate = "1MiB"
[[limits.schedule]]
from = "22:00"
to = "24:00"
[limits.schedule.user.alice]
download_rate = "0"
)");
    Limits expected;
    expected.always.download = {.all = 200 * mib,
                                .by_class = {0, std::nullopt, 50 * mib},
                                .by_user = {{"alice", 20 * mib}, {"1001", mib * mib}}};
    expected.always.upload = {.all = 100 * mib,
                              .by_class = {std::nullopt, std::nullopt, 40 * mib},
                              .by_user = {{"carl", 0}}};
    LimitsPeriod day{.days = 0b0011111, .from = 8h, .to = 18h + 30min, .rates = {}};
    day.rates.download.all = 30 * mib;
    day.rates.download.by_class[1] = 16 << 10;
    day.rates.upload.by_user = {{"alice", mib}};
    LimitsPeriod night{.days = 0b1111111, .from = 22h, .to = 24h, .rates = {}};
    night.rates.download.by_user = {{"alice", 0}};
    expected.schedule = {day, night};
    CHECK(limits == expected);
}

TEST_CASE("nothing said is no limit") {
    CHECK(read("") == Limits{});
    CHECK(read("[limits]\ndownload_rate = \"0\"") == Limits{});
    CHECK(read("[limits.class]\n[limits.user]\n[limits.class.normal]") == Limits{});
}

TEST_CASE("days are names, lists and ranges") {
    CHECK(days_of("mon-fri") == "1111100");
    CHECK(days_of("sat,sun") == "0000011");
    CHECK(days_of(" wed , fri - sun ") == "0010111");
    CHECK(days_of("sat-mon") == "1000011");
    CHECK(days_of("tue-tue") == "0100000");
}

TEST_CASE("what cannot be used in [limits] is named with its line") {
    struct Row {
        const char* text;
        const char* message;
    };
    const Row rows[]{
        {"[limits]\ndownlod_rate = \"1MiB\"",
         "x.toml:2: unknown key \"downlod_rate\" in [limits]; did you mean \"download_rate\"?"},
        {"[limits]\nupload_rat = \"1MiB\"",
         "x.toml:2: unknown key \"upload_rat\" in [limits]; did you mean \"upload_rate\"?"},
        {"[limits.users.bob]\ndownload_rate = \"1MiB\"",
         "x.toml:1: unknown key \"users\" in [limits]; did you mean \"user\"?"},
        {"[limits.class.bakground]\ndownload_rate = \"1MiB\"",
         "x.toml:1: unknown class \"bakground\" in [limits.class]; did you mean \"background\"?"},
        {"[limits.class.normal]\nrate = \"1MiB\"",
         "x.toml:2: unknown key \"rate\" in [limits.class.normal]; did you mean "
         "\"upload_rate\"?"},
        {"[limits.user.bob]\n\ndownload_rate = 5",
         "x.toml:3: [limits.user.bob] download_rate: must be a size in quotes, such as \"64MiB\""},
        {"[limits.user.bob]\nupload_rate = \"12\"\nup_rate = \"0\"",
         "x.toml:2: [limits.user.bob] upload_rate: must be \"0\" for no limit, or between 16KiB "
         "and 1TiB"},
        {"[limits]\ndownload_rate = \"1KiB\"", "x.toml:2: [limits] download_rate: must be \"0\" "
                                               "for no limit, or between 16KiB and 1TiB"},
        {"[limits]\nclass = \"1MiB\"",
         "x.toml:2: \"class\" must be a table: write [limits.class.NAME] above its rates"},
        {"[limits.user]\nbob = \"1MiB\"", "x.toml:2: \"bob\" must be a table: write "
                                          "[limits.user.bob] above its rates"},
        {"[[limits.user.bob]]\ndownload_rate = \"1MiB\"",
         "x.toml:1: \"bob\" must be a table: write [limits.user.bob] above its rates"},
        {"[limits.user.\"\"]", "x.toml:1: [limits.user] \"\" is not the name of a user"},
        {"[limits.user.\"a b\"]", "x.toml:1: [limits.user] \"a b\" is not the name of a user"},
        {"[limits.user.4294967295]",
         "x.toml:1: [limits.user] \"4294967295\" is not the number of a user"},
        {"[limits.schedule]\ndownload_rate = \"0\"",
         "x.toml:1: \"schedule\" must be a list: write [[limits.schedule]] above each"},
        {"[limits]\nschedule = []",
         "x.toml:2: \"schedule\" must be a list: write [[limits.schedule]] above each"},
        {"[[limits.schedule]]\ndownload_rate = \"0\"\n[[limits.schedule]]\ndays = \"mon\"",
         "x.toml:3: [[limits.schedule]] sets no rate"},
        {"[[limits.schedule]]\nday = \"mon\"\ndownload_rate = \"0\"",
         "x.toml:2: unknown key \"day\" in [[limits.schedule]]; did you mean \"days\"?"},
        {"[[limits.schedule]]\nfrom = \"08:00\"\nto = \"08:00\"\ndownload_rate = \"0\"",
         "x.toml:1: [[limits.schedule]] ends when it begins; leave from and to out for the whole "
         "day"},
        {"[[limits.schedule]]\nclass.all.download_rate = \"0\"",
         "x.toml:2: unknown class \"all\" in [limits.schedule.class]; did you mean \"normal\"?"},
    };
    for (const auto& [text, message] : rows) {
        CAPTURE(text);
        CHECK(refusal(text) == message);
    }
    CHECK(refusal("[[limits]]") ==
          "x.toml:1: \"limits\" must be a table: write [limits] above its keys");
}

TEST_CASE("days and times that are none") {
    const auto in_schedule = [](const std::string& line) {
        return refusal("[[limits.schedule]]\ndownload_rate = \"0\"\n" + line);
    };
    for (const char* days : {"\"\"", "\"Monday\"", "\"mon,\"", "\"mon-\"", "\"-fri\"", "\",\"",
                             "\"mon-fri-sun\"", "5", "[\"mon\"]", "true"}) {
        CAPTURE(days);
        CHECK(in_schedule(std::string{"days = "} + days) ==
              "x.toml:3: [[limits.schedule]] days: must name days in quotes, such as \"mon-fri\" "
              "or \"sat,sun\"");
    }
    for (const char* time : {"\"8:00\"", "\"08:60\"", "\"24:01\"", "\"-1:00\"", "\"08.00\"",
                             "\"08:00:00\"", "\"+8:00\"", "\"\"", "08:00:00", "8"}) {
        CAPTURE(time);
        CHECK(in_schedule(std::string{"to = "} + time) ==
              "x.toml:3: [[limits.schedule]] to: must be a time of day in quotes, such as "
              "\"08:00\"");
    }
}
