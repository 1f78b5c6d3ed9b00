#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

/// What progress looks like. Pure: from numbers to lines; `ProgressDisplay` puts them on a screen.
namespace wharf::cli {

struct FileProgress {
    std::string path;
    std::uint64_t done = 0;
    std::uint64_t total = 0;
};

/// How far a download, or the copying of its files to a folder, has come.
struct Progress {
    std::string state = "running"; ///< as in org.wharf.Downloads, or "copying"
    std::string reason;            ///< why it waits, may be empty
    std::uint64_t files_done = 0;
    std::uint64_t files_total = 0;
    std::uint64_t bytes_done = 0;
    std::uint64_t bytes_total = 0;
    std::uint64_t bytes_per_second = 0;
    std::vector<FileProgress> files; ///< some of those in the air

    /// Whether it is known yet which files it is about.
    bool is_listed() const noexcept { return files_total > 0; }
};

/// Smooths the speed over about three seconds, so that the numbers can be read and the estimate
/// does not jump.
class SpeedMeter {
  public:
    using Clock = std::chrono::steady_clock;

    /// Takes the speed reported at `now` into account and returns the smoothed one.
    double update(std::uint64_t bytes_per_second, Clock::time_point now);

    double bytes_per_second() const noexcept { return speed_; }

  private:
    double speed_ = 0;
    std::optional<Clock::time_point> last_;
};

/// What the terminal can show.
struct ViewStyle {
    std::size_t width = 80; ///< columns
    std::size_t height = 24;
    bool color = false;
    bool utf8 = false;
};

/// The lines of the display: up to eight files in the air, the total, and why it waits. None is
/// wider than `width` columns, escape codes for colours not counted; together they are less than
/// `height` where that is more than three.
std::vector<std::string> render_bars(const Progress& progress, double speed,
                                     const ViewStyle& style);

/// One line for a pipe or a log: "12/40 files, 1.2 GB of 4.0 GB, 210.3 MB/s, ETA 13s".
std::string render_plain(const Progress& progress, double speed);

/// The line that stays: "40 files, 4.0 GB in 13s (308.2 MB/s)". `fetched` is what came over the
/// network meanwhile, the rest was there already.
std::string render_summary(const Progress& progress, std::uint64_t fetched,
                           std::chrono::milliseconds elapsed);

} // namespace wharf::cli
