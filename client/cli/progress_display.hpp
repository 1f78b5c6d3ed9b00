#pragma once

#include "client/cli/progress_view.hpp"
#include "client/cli/terminal.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::cli {

/// Shows progress on standard error: bars that are redrawn in place on a terminal, lines now and
/// then elsewhere, nothing when muted. Each redraw is one write, so that nothing flickers. Other
/// text for standard error goes through `note` while this lives. Write errors are ignored: nobody
/// may be looking.
class ProgressDisplay {
  public:
    enum class Mode { muted, lines, bars };
    using Clock = std::chrono::steady_clock;

    /// Borrows `fd`, which must stay open.
    ProgressDisplay(int fd, Mode mode, Terminal terminal);
    ProgressDisplay(const ProgressDisplay&) = delete;
    ProgressDisplay& operator=(const ProgressDisplay&) = delete;
    ~ProgressDisplay(); ///< takes the bars away

    /// Takes the newest state. Bars are redrawn at most ten times a second, lines appear every five
    /// seconds and when the state changes or there is a reason for it now; the reason may count
    /// seconds down, so other words alone make no line.
    void show(const Progress& progress, Clock::time_point now = Clock::now());

    /// Takes the bars away and, when there was something to see, leaves the summary line.
    void finish(Clock::time_point now = Clock::now());

    /// Takes the bars away and leaves this line, unless muted. Requires: `printable` text.
    void finish(std::string_view line);

    /// Takes the bars away and forgets what was shown: other work begins.
    void restart();

    /// A line of its own, above the bars. Requires: `printable` text. Shown in every mode.
    void note(std::string_view text);

    /// A note that is a warning, about text from anywhere.
    void warn(std::string_view text);

    /// Takes the bars away; the next `show` draws them again.
    void clear();

  private:
    void draw(Clock::time_point now);
    void print_line(Clock::time_point now);
    /// Escape codes that move to where the bars begin and erase them.
    std::string erase_sequence(std::size_t width) const;

    int fd_;
    Mode mode_;
    Terminal terminal_;
    SpeedMeter meter_;
    Progress latest_;
    bool seen_ = false;                ///< there was any progress
    std::uint64_t bytes_at_start_ = 0; ///< what was there already
    Clock::time_point started_;
    Clock::time_point last_drawn_;
    std::vector<std::size_t> drawn_; ///< columns of each line on the screen
};

} // namespace wharf::cli
