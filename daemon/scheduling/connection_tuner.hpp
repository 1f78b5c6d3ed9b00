#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace wharf::scheduling {

/// Finds how many connections to a host are worth having: tries more as long as more of them do
/// more work, returns when they did not, and tries again from time to time, also fewer. Pure: time
/// and counters come from outside.
class ConnectionTuner {
  public:
    using Clock = std::chrono::steady_clock;

    /// Where it starts, and what it does not go below by itself: enough to hide the pauses between
    /// requests, and what no server takes amiss (browsers open six).
    static constexpr std::size_t initial = 4;

    /// How long a rate is measured. Shorter, and the bursts of one piece decide.
    static constexpr std::chrono::milliseconds window{1000};

    /// What is not measured after a change: new connections shake hands and start slowly.
    static constexpr std::chrono::milliseconds settling{500};

    /// The next trial after one that brought nothing.
    static constexpr std::chrono::seconds pause{20};

    /// After a failure: nothing is raised, and what fails in its first part is the same outage.
    static constexpr std::chrono::seconds cool_down{5};
    static constexpr std::chrono::seconds same_outage{2};

    /// More connections are kept when they do so much more work. A quarter more that is worth
    /// having brings up to 25 %; on one link, measured over a second, 5 % come by chance.
    static constexpr double worthwhile = 1.08;

    /// Fewer connections are kept when they do at least so much of the work.
    static constexpr double harmless = 0.97;

    struct Sample {
        std::uint64_t work = 0; ///< done so far, ever growing: bytes, and a least sum per request
        std::size_t in_use = 0;
        std::size_t waiting = 0; ///< claims that lack a connection
    };

    explicit ConnectionTuner(std::size_t most);

    std::size_t target() const noexcept { return target_; }

    /// The configured limit. Requires: at least 1.
    void set_most(std::size_t most) noexcept;

    /// To be called a few times in a window; time spent without calls or without enough claims to
    /// use the target is not judged.
    void tick(Clock::time_point now, const Sample& sample);

    /// The host, or the way to it, refused or broke something: half as many.
    void failed() noexcept;

  private:
    enum class Phase { measuring, trying_more, trying_fewer, holding, cooling };

    bool resting() noexcept;
    bool settled(const Sample& sample) noexcept;
    void judge(double rate, bool wanted);
    void next_trial(bool wanted);
    void try_target(std::size_t target, Phase phase) noexcept;
    void rest(Phase phase, Clock::duration duration) noexcept;

    std::size_t most_;
    std::size_t target_;
    std::size_t base_; ///< the best known number; differs from the target during a trial
    Phase phase_ = Phase::measuring;
    double rate_ = 0;              ///< work a second at `base_`
    bool fewer_next_ = false;      ///< trials go up and down by turns
    std::size_t double_until_;     ///< below this, trials double: the way up shall be short
    Clock::time_point now_;        ///< of the last tick
    Clock::time_point rest_until_; ///< while holding or cooling
    Clock::time_point trial_ends_; ///< without a verdict by then there is not enough demand
    Clock::time_point not_before_; ///< where a window may begin
    std::optional<Clock::time_point> window_start_;
    std::uint64_t window_work_ = 0; ///< at its start
};

} // namespace wharf::scheduling
