// A quota is a number of requests in a window of time; answers say how many are left (r) and in
// how many seconds the window ends (t), rounded one way or the other.
//
// - Answers overtake each other, so within a window the smallest r counts, and of the ends that
//   they name (time of arrival + t) the earliest. Which window an answer means is told by its end.
// - What is left, less those on their way, may go at once while it is more than a tenth of the
//   quota. Then it is spread over the time to the reset; nothing is sent when nothing is left.
// - After a reset, and after a refusal, we do not know that the window is a fresh one: our clock,
//   the rounding and other machines with the same token are in the way. So one request goes first;
//   its answer tells. Where answers tell nothing, each allows two more, until that is many.
#include "daemon/scheduling/quota.hpp"

#include <algorithm>
#include <cassert>

namespace wharf::scheduling {

namespace {

using namespace std::chrono_literals;

/// How far apart the ends may be that answers of one window name: rounding, and their way to us.
/// Of a short window at most half of it.
constexpr Quota::Clock::duration most_slack = 1500ms;

/// Resets are met with so much delay, so that not all machines that share a quota come at the same
/// moment.
constexpr auto most_jitter = 250ms;

/// A refusal that names less is one of a rounded time.
constexpr std::chrono::seconds shortest_refusal{1};

/// While the first answer of a window is awaited, another request goes after this: it may be lost.
constexpr auto trial_patience = 2s;

/// So many allowed at once are as good as any number.
constexpr std::uint64_t enough_trials = 32;

/// The Hub's windows are five minutes. One that is said to be much longer is not believed before
/// the host does refuse: a wrong number would keep the box away with nothing to put it right.
constexpr std::chrono::minutes longest_window{10};

/// The part of the quota below which requests are spread.
constexpr std::uint64_t low_part = 10;

} // namespace

Quota::Quota(std::uint64_t cost, std::uint64_t seed)
    : cost_{std::max<std::uint64_t>(cost, 1)},
      random_{static_cast<std::minstd_rand::result_type>(seed)} {}

Quota::Wait Quota::wait(Clock::time_point now) {
    turn_window(now);
    if (closed_until_ > now) {
        return {closed_until_ - now, Reason::asked};
    }
    if (left_ && *left_ < least()) {
        return {reopens() - now, Reason::used_up};
    }
    if (trials_ == 0U && last_used_ + trial_patience > now) {
        return {last_used_ + trial_patience - now, Reason::unsure};
    }
    if (left_ && free() < least()) { // those on their way may need it
        return {reopens() - now, Reason::low};
    }
    if (left_ && free() <= low() && next_slow_ > now) {
        return {next_slow_ - now, Reason::low};
    }
    return {};
}

void Quota::take(Clock::time_point now) {
    last_used_ = now;
    ++on_their_way_;
    if (trials_ && *trials_ > 0) {
        --*trials_;
    }
    if (left_ && free() <= low()) {
        const auto more = static_cast<Clock::rep>(free() / cost_ + 1);
        next_slow_ = now + std::max((reopens() - now) / more, Clock::duration::zero());
    }
}

void Quota::give_back(Clock::time_point now) noexcept {
    assert(on_their_way_ > 0);
    --on_their_way_;
    last_used_ = std::max(last_used_, now);
    if (trials_ == 0U) {
        trials_ = 1; // if it was the trial, it told nothing
    }
}

void Quota::observe(const hub::QuotaNews& news) {
    last_used_ = std::max(last_used_, news.at);
    const bool believed = news.left && (news.refused || news.left->reset <= longest_window);
    const bool counted = believed && note_left(*news.left, news.at);
    if (news.refused) {
        refused(news);
    } else if (trials_ && counted) {
        trials_.reset();
    } else if (trials_) {
        *trials_ += 2;
        if (*trials_ >= enough_trials) {
            trials_.reset();
        }
    }
}

bool Quota::is_idle(Clock::time_point now) const noexcept {
    return on_their_way_ == 0 && closed_until_ <= now && (!left_ || reopens() <= now);
}

std::uint64_t Quota::free() const noexcept {
    const std::uint64_t spoken_for = on_their_way_ * cost_;
    return *left_ - std::min(*left_, spoken_for);
}

std::uint64_t Quota::low() const noexcept {
    return std::max<std::uint64_t>(quota_ / low_part, 2);
}

/// A quota may be smaller than what one file costs.
std::uint64_t Quota::least() const noexcept {
    return quota_ > 0 ? std::min(cost_, quota_) : cost_;
}

Quota::Clock::duration Quota::jitter() {
    constexpr auto most = std::chrono::milliseconds{most_jitter}.count();
    return std::chrono::milliseconds{std::uniform_int_distribution<std::int64_t>{0, most}(random_)};
}

void Quota::turn_window(Clock::time_point now) noexcept {
    if (closed_until_ != Clock::time_point{} && closed_until_ <= now) {
        closed_until_ = {};
        trials_ = 1;
    }
    if (left_ && reopens() <= now) {
        left_.reset();
        trials_ = 1;
        after_reset_ = true;
    }
}

void Quota::refused(const hub::QuotaNews& news) {
    trials_ = 1;
    if (!news.wait) {
        return;
    }
    if (after_reset_ && news.left && *news.wait <= shortest_refusal) {
        lateness_ = shortest_refusal; // we were too early: this server rounds down
    }
    closed_until_ = std::max(closed_until_, news.at + std::max(*news.wait, shortest_refusal));
}

/// False if the answer is one of a window that is over.
bool Quota::note_left(const hub::QuotaLeft& left, Clock::time_point at) {
    quota_ = std::max(left.quota.value_or(quota_), left.requests);
    const auto slack =
        left.window
            ? std::min<Clock::duration>(most_slack, std::chrono::milliseconds{*left.window} / 2)
            : most_slack;
    const auto ends = at + left.reset;
    const bool newer = ends > ends_ + slack;
    const bool older = ends + slack < ends_;
    if (!newer && (left_ ? older && left.reset < slack : trials_.has_value())) {
        return false;
    }
    if (left_ && !newer && !older) {
        left_ = std::min(*left_, left.requests);
        ends_ = std::min(ends_, ends);
        return true;
    }
    left_ = left.requests;
    ends_ = ends;
    jitter_ = jitter();
    next_slow_ = {};
    after_reset_ = false;
    return true;
}

} // namespace wharf::scheduling
