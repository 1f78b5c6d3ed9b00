#include "client/cli/progress_view.hpp"

#include "base/units.hpp"
#include "client/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace wharf::cli {

namespace {

constexpr std::size_t most_file_lines = 8;
constexpr std::size_t widest_bar = 40;
constexpr std::size_t narrowest_bar = 8;

/// A line in parts that give way when the window is narrow: first the bar, then the label's
/// beginning, then the parts of `details` from the end.
struct Line {
    std::string label;
    double fraction = 0;
    std::vector<std::string> details;
    bool emphasised = false; ///< the total
    bool has_bar = true;
};

double fraction(std::uint64_t done, std::uint64_t total) {
    if (total == 0) {
        return 0;
    }
    return std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
}

std::string percent(double part) {
    return fmt::format("{:3}%", static_cast<int>(std::floor(part * 100)));
}

std::string speed_text(double speed) {
    return format_size(static_cast<std::uint64_t>(std::max(0.0, speed))) + "/s";
}

/// How long the rest takes at this speed, nothing while that cannot be said.
std::string eta_text(const Progress& progress, double speed) {
    static constexpr double longest = 99 * 3600.0;
    const double left = progress.bytes_total > progress.bytes_done
                            ? static_cast<double>(progress.bytes_total - progress.bytes_done)
                            : 0;
    if (progress.state != "running" || left == 0 || speed < 1 || left / speed > longest) {
        return {};
    }
    const auto seconds = static_cast<std::int64_t>(std::ceil(left / speed));
    return "ETA " + format_duration(std::chrono::seconds{seconds});
}

std::string colored(std::string_view text, std::string_view code, const ViewStyle& style) {
    return style.color ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string{text};
}

std::string draw_bar(double part, std::size_t width, const Line& line, const ViewStyle& style) {
    const auto filled = static_cast<std::size_t>(part * static_cast<double>(width));
    const std::string_view full = style.utf8 ? "━" : "#";
    const std::string_view empty = style.utf8 ? "─" : "-";
    std::string done;
    std::string rest;
    for (std::size_t i = 0; i < width; ++i) {
        (i < filled ? done : rest) += i < filled ? full : empty;
    }
    return colored(done, line.emphasised ? "1;32" : "36", style) + colored(rest, "2", style);
}

std::size_t details_width(const Line& line) {
    std::size_t sum = 0;
    for (const std::string& detail : line.details) {
        sum += display_width(detail) + 2;
    }
    return sum;
}

/// Columns that all lines share, so that bars stand below each other. No bar: `bar` is 0.
struct Layout {
    std::size_t label = 0;
    std::size_t bar = 0;
};

/// Shares the width out and takes away the last details of lines that would not fit at all.
Layout lay_out(std::vector<Line>& lines, std::size_t width) {
    static constexpr std::size_t least_label = 12;
    // Room for speed and estimate also while there are none: the bars should not jump.
    std::size_t details = width >= 70 ? 46 : 0;
    std::size_t label = 0;
    for (Line& line : lines) {
        while (!line.details.empty() && details_width(line) + least_label > width) {
            line.details.pop_back();
        }
        details = std::max(details, details_width(line));
        label = std::max(label, display_width(line.label));
    }
    const std::size_t room = width - std::min(width, details);
    const std::size_t beside_bar = room - std::min(room, narrowest_bar + 1);
    Layout layout{std::min(label, std::max(beside_bar, least_label)), 0};
    if (room >= layout.label + 1 + narrowest_bar) {
        layout.bar = std::min(widest_bar, room - layout.label - 1);
    }
    return layout;
}

std::string render_line(const Line& line, const Layout& layout, const ViewStyle& style) {
    const std::size_t label_width =
        std::min(layout.label, style.width - std::min(style.width, details_width(line)));
    std::string out = keep_end(line.label, label_width, style.utf8);
    out.append(label_width - std::min(label_width, display_width(out)), ' ');
    if (layout.bar > 0 && line.has_bar) {
        out += ' ' + draw_bar(line.fraction, layout.bar, line, style);
    }
    for (const std::string& detail : line.details) {
        out += "  " + detail;
    }
    return out;
}

/// The state in words, nothing while it just runs.
std::string state_text(const Progress& progress) {
    if (progress.state != "running") {
        return progress.state;
    }
    return progress.is_listed() ? "" : "asking what there is";
}

std::string total_label(const Progress& progress) {
    const std::string state = state_text(progress);
    if (!progress.is_listed()) {
        return state;
    }
    const auto files = fmt::format("{}/{} files", progress.files_done, progress.files_total);
    return state.empty() ? files : fmt::format("{}, {}", state, files);
}

Line total_line(const Progress& progress, double speed) {
    Line line{total_label(progress),
              progress.bytes_total ? fraction(progress.bytes_done, progress.bytes_total)
                                   : fraction(progress.files_done, progress.files_total),
              {},
              true,
              progress.is_listed()};
    if (!progress.is_listed()) {
        return line;
    }
    line.details.push_back(percent(line.fraction));
    line.details.push_back(fmt::format("{} / {}", format_size(progress.bytes_done),
                                       format_size(progress.bytes_total)));
    if (progress.state == "running" || progress.state == "copying") {
        line.details.push_back(speed_text(speed));
    }
    if (auto eta = eta_text(progress, speed); !eta.empty()) {
        line.details.push_back(std::move(eta));
    }
    return line;
}

Line file_line(const FileProgress& file) {
    Line line{printable(file.path), fraction(file.done, file.total), {}, false, true};
    line.details.push_back(percent(line.fraction));
    line.details.push_back(fmt::format("{} / {}", format_size(file.done), format_size(file.total)));
    return line;
}

} // namespace

double SpeedMeter::update(std::uint64_t bytes_per_second, Clock::time_point now) {
    static constexpr double memory_seconds = 3;
    const auto reported = static_cast<double>(bytes_per_second);
    if (!last_) {
        speed_ = reported;
    } else {
        const double elapsed = std::chrono::duration<double>(now - *last_).count();
        speed_ += (reported - speed_) * (1 - std::exp(-std::max(0.0, elapsed) / memory_seconds));
    }
    last_ = now;
    return speed_;
}

std::vector<std::string> render_bars(const Progress& progress, double speed,
                                     const ViewStyle& style) {
    std::vector<Line> lines;
    const std::size_t room = style.height > 3 ? style.height - 3 : 0;
    for (const FileProgress& file : progress.files) {
        if (lines.size() >= std::min(room, most_file_lines)) {
            break;
        }
        lines.push_back(file_line(file));
    }
    lines.push_back(total_line(progress, speed));
    const Layout layout = lay_out(lines, style.width);
    std::vector<std::string> out;
    for (const Line& line : lines) {
        out.push_back(render_line(line, layout, style));
    }
    if (!progress.reason.empty()) {
        out.push_back(keep_start(printable(progress.reason), style.width));
    }
    return out;
}

std::string render_plain(const Progress& progress, double speed) {
    std::string out = state_text(progress);
    const std::string reason = printable(progress.reason);
    if (!progress.is_listed()) {
        return reason.empty() ? out : fmt::format("{}: {}", out, reason);
    }
    if (!out.empty()) {
        out += reason.empty() ? ", " : fmt::format(": {}; ", reason);
    }
    out += fmt::format("{}/{} files, {} of {}", progress.files_done, progress.files_total,
                       format_size(progress.bytes_done), format_size(progress.bytes_total));
    if (progress.state == "running") {
        out += ", " + speed_text(speed);
        if (const auto eta = eta_text(progress, speed); !eta.empty()) {
            out += ", " + eta;
        }
    }
    return out;
}

std::string render_summary(const Progress& progress, std::uint64_t fetched,
                           std::chrono::milliseconds elapsed) {
    const std::string files = count(progress.files_total, "file");
    const std::string size = format_size(progress.bytes_total);
    if (fetched == 0) {
        return fmt::format("{}, {}: already there", files, size);
    }
    const double seconds = static_cast<double>(elapsed.count()) / 1000;
    const auto whole = std::chrono::round<std::chrono::seconds>(elapsed);
    std::string out = fmt::format("{}, {}", files, size);
    if (fetched < progress.bytes_total) {
        out += fmt::format(", {} of it fetched", format_size(fetched));
    }
    out += fmt::format(" in {}", format_duration(whole));
    if (seconds >= 0.5) {
        out += fmt::format(" ({})", speed_text(static_cast<double>(fetched) / seconds));
    }
    return out;
}

} // namespace wharf::cli
