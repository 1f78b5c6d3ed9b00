#include "daemon/scheduling/rate_gate.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "base/units.hpp"
#include "daemon/async/event.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <list>

namespace wharf::scheduling {

namespace {

using std::chrono::seconds;

/// A small file of the Hub costs two requests: it is redirected to where such files are kept.
constexpr std::uint64_t cost_of(hub::Bucket bucket) noexcept {
    return bucket == hub::Bucket::files ? 2 : 1;
}

constexpr hub::Bucket other(hub::Bucket bucket) noexcept {
    return bucket == hub::Bucket::api ? hub::Bucket::files : hub::Bucket::api;
}

/// Waiting goes in steps, so that reasons count down, and a machine that was suspended meanwhile
/// (when timers stand still) goes on soon after it wakes up.
constexpr auto step = std::chrono::milliseconds{1000};

/// Quotas are remembered for this long after their last use, unless there are very many.
constexpr auto memory = std::chrono::minutes{10};
constexpr std::size_t first_sweep = 64;
constexpr std::size_t many_entries = 1024;

std::string key(const std::string& host, const hub::Account& account) {
    // The token itself is kept nowhere but with the request that brought it.
    const auto& token = account.token;
    return fmt::format("{} {} {}", host, account.bucket == hub::Bucket::api ? "api" : "files",
                       token.empty() ? std::string{} : sha256_hex(token.reveal()));
}

bool is_wish_or_reset(Quota::Reason reason) noexcept {
    return reason == Quota::Reason::asked || reason == Quota::Reason::used_up;
}

std::string sentence(const std::string& host, const Quota& quota, const Quota::Wait& wait) {
    const auto time = format_duration(std::chrono::ceil<seconds>(wait.left));
    switch (wait.reason) {
    case Quota::Reason::asked:
        return fmt::format("{} asked to wait {}", host, time);
    case Quota::Reason::used_up:
        return fmt::format("{} takes no more requests for {}: its quota is used up", host, time);
    case Quota::Reason::low:
        return fmt::format("slowing down: {} of {} requests are left at {}",
                           quota.left().value_or(0), quota.quota(), host);
    case Quota::Reason::unsure:
        return fmt::format("waiting for what {} says after its pause", host);
    case Quota::Reason::none:
        break;
    }
    return fmt::format("waiting in line for {}", host);
}

} // namespace

struct RateGate::Entry {
    Entry(std::uint64_t cost, std::uint64_t seed) : quota{cost, seed} {}

    void wake_first() {
        if (!line.empty()) {
            line.front().notify_all();
        }
    }

    Quota quota;
    std::list<async::Event> line; ///< those who wait, each with what wakes him
};

void RateGate::Unit::release() noexcept {
    if (const auto entry = std::exchange(entry_, nullptr)) {
        entry->quota.give_back(Quota::Clock::now());
        entry->wake_first();
    }
}

RateGate::RateGate() : sweep_at_{first_sweep} {}

RateGate::~RateGate() = default;

Awaitable<RateGate::Unit> RateGate::pass(std::string host, hub::Token token, hub::Bucket bucket,
                                         std::shared_ptr<WaitNote> note, seconds longest,
                                         std::function<bool()> is_moot) {
    const auto place = entry(host, {std::move(token), bucket});
    const auto turn = place->line.emplace(place->line.end());
    const ScopeExit leave{[place, turn] {
        place->line.erase(turn);
        place->wake_first();
    }};
    for (;;) {
        const auto now = Quota::Clock::now();
        const Quota::Wait wait = place->quota.wait(now);
        const bool first = turn == place->line.begin();
        if (first && wait.left <= Quota::Clock::duration::zero()) {
            place->quota.take(now);
            co_return Unit{place};
        }
        if (is_moot && is_moot()) {
            co_return Unit{};
        }
        // Rounded down: what the host named is not to grow by our telling.
        const auto named = std::chrono::floor<seconds>(wait.left);
        if (is_wish_or_reset(wait.reason) && named > longest) {
            Error error{ErrorKind::rate_limited, sentence(host, place->quota, {named, wait.reason}),
                        "try again later, or use a token: its limits are higher"};
            throw error.set_retry_after(named);
        }
        const ScopeExit quiet{[note] { note->reason.clear(); }};
        note->reason = sentence(host, place->quota, wait);
        co_await turn->wait_for(first ? std::min<Quota::Clock::duration>(wait.left, step) : step);
    }
}

bool RateGate::is_closed(const std::string& host, const hub::Token& token,
                         hub::Bucket bucket) const {
    const auto found = entries_.find(key(host, {token, bucket}));
    return found != entries_.end() &&
           is_wish_or_reset(found->second->quota.wait(Quota::Clock::now()).reason);
}

void RateGate::observe(const hub::QuotaNews& news) {
    if (news.refused) {
        log::warning("transfer", "{} refused a request: {}", news.host,
                     news.wait ? fmt::format("it asks to wait {}", format_duration(*news.wait))
                               : "it asks to send fewer");
    }
    observe_one(news);
    if (news.refused) {
        hub::QuotaNews elsewhere = news;
        elsewhere.account.bucket = other(news.account.bucket);
        elsewhere.left.reset(); // that is the bucket's own
        observe_one(elsewhere);
    }
}

void RateGate::observe_one(const hub::QuotaNews& news) {
    const auto place = entry(news.host, news.account);
    place->quota.observe(news);
    place->wake_first();
}

std::shared_ptr<RateGate::Entry> RateGate::entry(const std::string& host,
                                                 const hub::Account& account) {
    if (entries_.size() >= sweep_at_) {
        forget_idle();
    }
    auto& place = entries_[key(host, account)];
    if (!place) {
        const auto seed = Quota::Clock::now().time_since_epoch().count();
        place = std::make_shared<Entry>(cost_of(account.bucket), static_cast<std::uint64_t>(seed));
    }
    return place;
}

void RateGate::forget_idle() {
    const auto now = Quota::Clock::now();
    const bool many = entries_.size() >= many_entries;
    std::erase_if(entries_, [now, many](const auto& item) {
        const auto& [name, place] = item;
        return place.use_count() == 1 && place->quota.is_idle(now) &&
               (many || now - place->quota.last_used() > memory);
    });
    sweep_at_ = std::max(first_sweep, 2 * entries_.size());
}

} // namespace wharf::scheduling
