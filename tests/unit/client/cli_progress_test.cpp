#include "base/unique_fd.hpp"
#include "client/cli/progress_display.hpp"
#include "client/cli/progress_view.hpp"
#include "client/cli/text.hpp"

#include <doctest/doctest.h>

#include <array>
#include <fcntl.h>
#include <unistd.h>

using namespace std::chrono_literals;
using namespace wharf::cli;

namespace {

Progress half_way() {
    Progress progress;
    progress.files_done = 12;
    progress.files_total = 40;
    progress.bytes_done = 1'200'000'000;
    progress.bytes_total = 4'000'000'000;
    return progress;
}

ViewStyle plain(std::size_t width) {
    ViewStyle style;
    style.width = width;
    return style;
}

} // namespace

TEST_CASE("the speed is smoothed over seconds") {
    SpeedMeter meter;
    const SpeedMeter::Clock::time_point start{};
    CHECK(meter.update(100, start) == doctest::Approx(100));
    CHECK(meter.update(200, start) == doctest::Approx(100)); // no time has passed
    const double soon = meter.update(200, start + 300ms);
    CHECK(soon > 105);
    CHECK(soon < 115);
    CHECK(meter.update(200, start + 60s) == doctest::Approx(200).epsilon(0.01));
    CHECK(meter.update(0, start + 59s) == doctest::Approx(200).epsilon(0.01)); // a clock set back
}

TEST_CASE("the speed of staging is not that of what comes after it") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const wharf::UniqueFd reading{wharf::adopt_fd, ends[0]};
    const wharf::UniqueFd writing{wharf::adopt_fd, ends[1]};
    ProgressDisplay display{writing.value(), ProgressDisplay::Mode::lines, Terminal{}};
    Progress progress = half_way();
    progress.state = "staging";
    progress.bytes_per_second = 400'000'000;
    const ProgressDisplay::Clock::time_point start{};
    display.show(progress, start);
    progress.state = "running";
    progress.bytes_per_second = 0; // files are hashed first
    display.show(progress, start + 1s);
    std::array<char, 400> text{};
    const auto size = ::read(reading.value(), text.data(), text.size());
    REQUIRE(size > 0);
    CHECK(std::string_view{text.data(), static_cast<std::size_t>(size)}.ends_with(
        "12/40 files, 1.2 GB of 4.0 GB, 0 B/s\n"));
}

TEST_CASE("one line for a log") {
    Progress progress = half_way();
    CHECK(render_plain(progress, 210'300'000) ==
          "12/40 files, 1.2 GB of 4.0 GB, 210.3 MB/s, ETA 14s");
    CHECK(render_plain(progress, 0) == "12/40 files, 1.2 GB of 4.0 GB, 0 B/s");
    progress.state = "waiting";
    progress.reason = "the Hub asked\x1b[2J";
    CHECK(render_plain(progress, 1) ==
          "waiting: the Hub asked\\x1b[2J; 12/40 files, 1.2 GB of 4.0 GB");
    progress.reason.clear();
    progress.state = "queued";
    CHECK(render_plain(progress, 1) == "queued, 12/40 files, 1.2 GB of 4.0 GB");
}

TEST_CASE("no estimate that means nothing") {
    Progress progress = half_way();
    progress.bytes_done = progress.bytes_total;
    CHECK(render_plain(progress, 1000).find("ETA") == std::string::npos);
    progress.bytes_done = progress.bytes_total + 5; // more than was announced
    CHECK(render_plain(progress, 1000).find("ETA") == std::string::npos);
    progress.bytes_done = 0;
    CHECK(render_plain(progress, 2).find("ETA") == std::string::npos); // years
}

TEST_CASE("the total as a bar") {
    const auto lines = render_bars(half_way(), 210'300'000, plain(79));
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] ==
          "12/40 files ######---------------   30%  1.2 GB / 4.0 GB  210.3 MB/s  ETA 14s");
}

TEST_CASE("files in the air stand above, their bars below each other") {
    Progress progress = half_way();
    progress.files = {{"a.bin", 50, 100}, {"folder/with/a/long/name/weights.safetensors", 0, 0}};
    const auto lines = render_bars(progress, 0, plain(79));
    REQUIRE(lines.size() == 3);
    CHECK(lines[0].find("50%  50 B / 100 B") != std::string::npos);
    CHECK(lines[1].find("weights.safetensors ") != std::string::npos); // the end tells most
    const auto bar_at = [](const std::string& line) { return line.find_first_of("#-"); };
    CHECK(bar_at(lines[0]) == lines[2].find_first_of('#'));
}

TEST_CASE("no line is wider than the window, however narrow, and none is negative") {
    Progress progress = half_way();
    progress.files = {{"日本語/データ/とても長い名前.bin", 1, 2}, {std::string(300, 'x'), 9, 9}};
    progress.reason = "the Hub asked to wait 12 s, again and again and again";
    for (const char* state : {"running", "waiting", "checking"}) {
        progress.state = state;
        for (std::size_t width = 1; width < 200; ++width) {
            CAPTURE(width);
            for (const std::string& line : render_bars(progress, 1e9, plain(width))) {
                CHECK(display_width(line) <= width);
            }
        }
    }
}

TEST_CASE("the display leaves room in low windows and never grows without end") {
    Progress progress = half_way();
    progress.files.resize(100);
    ViewStyle style = plain(80);
    style.height = 50;
    CHECK(render_bars(progress, 0, style).size() == 9);
    style.height = 6;
    CHECK(render_bars(progress, 0, style).size() == 4);
    style.height = 1;
    CHECK(render_bars(progress, 0, style).size() == 1);
}

TEST_CASE("colours only where they are wanted") {
    ViewStyle style = plain(80);
    CHECK(render_bars(half_way(), 0, style)[0].find('\x1b') == std::string::npos);
    style.color = true;
    CHECK(render_bars(half_way(), 0, style)[0].find("\x1b[1;32m") != std::string::npos);
}

TEST_CASE("before the listing there is only a state") {
    Progress progress;
    progress.state = "queued";
    CHECK(render_bars(progress, 0, plain(79))[0] == "queued");
    CHECK(render_plain(progress, 0) == "queued");
    progress.state = "running";
    CHECK(render_bars(progress, 0, plain(79))[0] == "asking what there is");
    progress.state = "waiting";
    progress.reason = "the Hub asked to wait 12 s";
    CHECK(render_plain(progress, 0) == "waiting: the Hub asked to wait 12 s");
    CHECK(render_bars(progress, 0, plain(79)).size() == 2);
}

TEST_CASE("more than all is all") {
    Progress progress = half_way();
    progress.bytes_done = 5'000'000'000;
    CHECK(render_bars(progress, 0, plain(79))[0].find("100%") != std::string::npos);
}

TEST_CASE("the line that stays") {
    Progress progress = half_way();
    CHECK(render_summary(progress, 4'000'000'000, 13s) == "40 files, 4.0 GB in 13s (307.7 MB/s)");
    CHECK(render_summary(progress, 1'000'000'000, 2s) ==
          "40 files, 4.0 GB, 1.0 GB of it fetched in 2s (500.0 MB/s)");
    CHECK(render_summary(progress, 4'000'000'000, 100ms) == "40 files, 4.0 GB in 0s");
    CHECK(render_summary(progress, 0, 5s) == "40 files, 4.0 GB: already there");
}
