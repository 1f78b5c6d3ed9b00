#include "client/cli/progress_display.hpp"

#include "client/cli/io.hpp"
#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace wharf::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto least_time_between_bars = 100ms;
constexpr auto time_between_lines = 5s;

/// The columns a line takes without the escape codes for its colours ("\x1b[…m").
std::size_t visible_width(std::string_view line) {
    std::string plain;
    while (!line.empty()) {
        if (line.starts_with("\x1b[")) {
            line.remove_prefix(std::min(line.find('m'), line.size() - 1) + 1);
        } else {
            plain += line.front();
            line.remove_prefix(1);
        }
    }
    return display_width(plain);
}

} // namespace

ProgressDisplay::ProgressDisplay(int fd, Mode mode, Terminal terminal)
    : fd_{fd}, mode_{mode}, terminal_{terminal} {}

ProgressDisplay::~ProgressDisplay() {
    clear();
}

void ProgressDisplay::show(const Progress& progress, Clock::time_point now) {
    const bool turned = !seen_ || progress.state != latest_.state ||
                        progress.is_listed() != latest_.is_listed() ||
                        progress.reason.empty() != latest_.reason.empty();
    const bool changed = turned || progress.reason != latest_.reason;
    if (!seen_) {
        seen_ = true;
        started_ = now;
    }
    if (!latest_.is_listed()) { // before the listing nothing tells what was there already
        bytes_at_start_ = progress.bytes_done;
    }
    if (progress.state != latest_.state) { // how fast it was tells nothing of the new state
        meter_ = SpeedMeter{};
    }
    meter_.update(progress.bytes_per_second, now);
    latest_ = progress;
    const auto since = now - last_drawn_;
    if (mode_ == Mode::bars && (changed || since >= least_time_between_bars)) {
        draw(now);
    } else if (mode_ == Mode::lines && (turned || since >= time_between_lines)) {
        print_line(now);
    }
}

void ProgressDisplay::finish(Clock::time_point now) {
    if (latest_.is_listed()) {
        const auto fetched = latest_.bytes_total - std::min(latest_.bytes_total, bytes_at_start_);
        const auto elapsed = std::chrono::round<std::chrono::milliseconds>(now - started_);
        finish(render_summary(latest_, fetched, elapsed));
    }
    restart();
}

void ProgressDisplay::finish(std::string_view line) {
    restart();
    if (mode_ != Mode::muted) {
        write_quietly(fd_, fmt::format("{}\n", line));
    }
}

void ProgressDisplay::restart() {
    clear();
    seen_ = false;
    latest_ = Progress{};
    meter_ = SpeedMeter{};
}

void ProgressDisplay::note(std::string_view text) {
    const bool redraw = !drawn_.empty();
    clear();
    write_quietly(fd_, fmt::format("{}\n", text));
    if (redraw) {
        draw(Clock::now());
    }
}

void ProgressDisplay::warn(std::string_view text) {
    note(fmt::format("warning: {}", printable(text)));
}

void ProgressDisplay::clear() {
    if (!drawn_.empty()) {
        write_quietly(fd_, erase_sequence(view_style(fd_, terminal_).width));
        drawn_.clear();
    }
}

std::string ProgressDisplay::erase_sequence(std::size_t width) const {
    // A window that became narrower has wrapped the lines: each may take several rows now.
    std::size_t rows = 0;
    for (const std::size_t columns : drawn_) {
        rows += 1 + (columns == 0 ? 0 : (columns - 1) / (width + 1));
    }
    std::string out = "\r";
    if (rows > 1) {
        out += fmt::format("\x1b[{}A", rows - 1);
    }
    return out + "\x1b[J";
}

void ProgressDisplay::draw(Clock::time_point now) {
    const ViewStyle style = view_style(fd_, terminal_);
    const auto lines = render_bars(latest_, meter_.bytes_per_second(), style);
    // Lines are overwritten and then cleared to their end, never blanked first: no flicker.
    std::string out;
    const bool resized =
        std::ranges::any_of(drawn_, [&](std::size_t columns) { return columns > style.width; });
    if (resized) {
        out = erase_sequence(style.width);
    } else if (!drawn_.empty()) {
        out = "\r";
        if (drawn_.size() > 1) {
            out += fmt::format("\x1b[{}A", drawn_.size() - 1);
        }
    }
    drawn_.clear();
    for (const std::string& line : lines) {
        out += (drawn_.empty() ? "" : "\n") + line + "\x1b[K";
        drawn_.push_back(visible_width(line));
    }
    out += "\x1b[J";
    write_quietly(fd_, out);
    last_drawn_ = now;
}

void ProgressDisplay::print_line(Clock::time_point now) {
    if (!latest_.is_listed() && latest_.reason.empty()) {
        return; // nothing that a log would miss
    }
    write_quietly(fd_, render_plain(latest_, meter_.bytes_per_second()) + "\n");
    last_drawn_ = now;
}

} // namespace wharf::cli
