// Hill climbing. A window measures the rate at the base; then a trial sets another target, lets it
// settle and measures a window there. If it is better, it is the new base and the next trial
// follows at once; if not, the base holds for a while. Windows count only while the connections in
// use are about as many as the target: with less demand a rate says nothing about the target, and
// while surplus connections run out it says nothing about it either.
#include "daemon/scheduling/connection_tuner.hpp"

#include <algorithm>
#include <limits>

namespace wharf::scheduling {

namespace {

/// How long a trial waits for connections to come to its target.
constexpr std::chrono::seconds trial_limit{15};

/// A pause between ticks after which what was measured before is over.
constexpr std::chrono::seconds silence{1};

std::size_t step(std::size_t from) noexcept {
    return std::max<std::size_t>(from / 4, 2);
}

} // namespace

ConnectionTuner::ConnectionTuner(std::size_t most)
    : most_{most}, target_{std::min(initial, most)}, base_{target_},
      double_until_{std::numeric_limits<std::size_t>::max()} {}

void ConnectionTuner::set_most(std::size_t most) noexcept {
    most_ = most;
    base_ = std::min(base_, most);
    target_ = std::min(target_, most);
}

void ConnectionTuner::tick(Clock::time_point now, const Sample& sample) {
    if (now - now_ > silence) {
        window_start_.reset();
    }
    now_ = now;
    if (resting() || !settled(sample)) {
        window_start_.reset();
        return;
    }
    if (!window_start_) {
        window_start_ = now;
        window_work_ = sample.work;
        return;
    }
    if (now - *window_start_ < window) {
        return;
    }
    const std::chrono::duration<double> length = now - *window_start_;
    window_start_.reset();
    judge(static_cast<double>(sample.work - window_work_) / length.count(), sample.waiting > 0);
}

void ConnectionTuner::failed() noexcept {
    const bool again = phase_ == Phase::cooling;
    if (again && now_ < rest_until_ - cool_down + same_outage) {
        return;
    }
    double_until_ = again ? double_until_ : base_;
    base_ = target_ = std::max<std::size_t>(target_ / 2, 1);
    fewer_next_ = false;
    rest(Phase::cooling, cool_down);
}

bool ConnectionTuner::resting() noexcept {
    if (phase_ == Phase::holding || phase_ == Phase::cooling) {
        if (now_ < rest_until_) {
            return true;
        }
        phase_ = Phase::measuring;
    }
    return false;
}

/// Whether the connections are those whose rate is to be measured.
bool ConnectionTuner::settled(const Sample& sample) noexcept {
    const bool trial = phase_ != Phase::measuring;
    if (trial && now_ >= trial_ends_) {
        target_ = base_;
        phase_ = Phase::measuring;
    }
    const std::size_t tolerance = target_ / 8;
    return now_ >= not_before_ && sample.in_use + tolerance >= target_ &&
           sample.in_use <= target_ + tolerance;
}

void ConnectionTuner::judge(double rate, bool wanted) {
    if (phase_ == Phase::measuring) {
        rate_ = rate;
        next_trial(wanted);
        return;
    }
    const bool more = phase_ == Phase::trying_more;
    const bool kept = rate >= rate_ * (more ? worthwhile : harmless);
    fewer_next_ = more && !kept;
    if (kept) {
        base_ = target_;
        rate_ = rate;
    }
    target_ = base_;
    if (more && kept) {
        phase_ = Phase::measuring;
        next_trial(wanted);
        return;
    }
    if (more) {
        double_until_ = 0;
    }
    rest(Phase::holding, pause);
}

void ConnectionTuner::next_trial(bool wanted) {
    if (fewer_next_ && base_ > initial) {
        try_target(std::max(initial, base_ - step(base_)), Phase::trying_fewer);
        return;
    }
    fewer_next_ = false;
    if (base_ >= most_) {
        fewer_next_ = true;
        rest(Phase::holding, pause);
    } else if (wanted) {
        const auto more = base_ < double_until_ ? base_ * 2 : base_ + step(base_);
        try_target(std::min(more, most_), Phase::trying_more);
    }
}

void ConnectionTuner::try_target(std::size_t target, Phase phase) noexcept {
    target_ = target;
    phase_ = phase;
    not_before_ = now_ + settling;
    trial_ends_ = now_ + trial_limit;
}

void ConnectionTuner::rest(Phase phase, Clock::duration duration) noexcept {
    phase_ = phase;
    rest_until_ = now_ + duration;
    window_start_.reset();
}

} // namespace wharf::scheduling
