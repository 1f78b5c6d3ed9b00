#include "base/units.hpp"

#include <doctest/doctest.h>

using namespace std::chrono_literals;

TEST_CASE("sizes and durations of the configuration") {
    CHECK(wharf::parse_size("0").value() == 0);
    CHECK(wharf::parse_size("64MiB").value() == 64ULL << 20);
    CHECK(wharf::parse_size("2GB").value() == 2'000'000'000);
    CHECK(wharf::parse_duration("250ms").value() == 250ms);
    CHECK(wharf::parse_duration("10m").value() == 10min);
    for (const char* bad : {"", "MiB", "-1", "1.5GB", "1 GB", "99999999999TiB", "0x10", "1mib"}) {
        CAPTURE(bad);
        CHECK(wharf::parse_size(bad).has_error());
    }
    for (const char* bad : {"", "5", "s", "-1s", "1.5h", "1w"}) {
        CAPTURE(bad);
        CHECK(wharf::parse_duration(bad).has_error());
    }
}

TEST_CASE("sizes and durations for people") {
    CHECK(wharf::format_size(999) == "999 B");
    CHECK(wharf::format_size(1500) == "1.5 KB");
    CHECK(wharf::format_size(999'999) == "1.0 MB");
    CHECK(wharf::format_size(140'200'000'000) == "140.2 GB");
    CHECK(wharf::format_duration(8s) == "8s");
    CHECK(wharf::format_duration(185s) == "3m 05s");
    CHECK(wharf::format_duration(7800s) == "2h 10m");
    CHECK(wharf::format_duration(-1s) == "0s");
}
