#include "daemon/access/rounds.hpp"

#include "base/log.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace wharf::access {

namespace {

using Span = std::chrono::steady_clock::duration;

/// Questions that nobody waits for, at once: few enough for the Hub, and enough that hundreds of
/// grants are renewed within half of grant_ttl.
constexpr std::ptrdiff_t questions_at_once = 8;

/// Timers stand still while the machine sleeps: so often the clock is read in any case.
constexpr std::chrono::seconds longest_nap{10};

/// Between two daily questions: after a long time away, all of them are due at once.
constexpr std::chrono::seconds pace{1};
constexpr std::chrono::minutes pause_after_trouble{1};

/// How often the names of public repos are looked through, and how long one that is not in the
/// cache is kept: long enough for any download that it was asked for to begin.
constexpr std::chrono::hours look_at_names{1};
constexpr std::chrono::hours keep_names{6};

/// The owner's next use asks again so long after a question that met trouble.
constexpr std::chrono::seconds owner_pause{15};
constexpr std::size_t many_repos = 1'000;

/// Whether the last question of that key was long enough ago; counts this one.
template <typename Key>
bool is_due(std::map<Key, BootClock::time_point>& not_before, const Key& key,
            BootClock::time_point now, BootClock::duration at_most_every) {
    if (not_before.size() >= many_repos) {
        std::erase_if(not_before, [now](const auto& entry) { return entry.second <= now; });
    }
    auto& then = not_before[key];
    const bool due = now >= then;
    then = due ? now + at_most_every : then;
    return due;
}

Span until(BootClock::time_point then, Moment now, Span longest) {
    return std::clamp<Span>(then - now.boot, Span::zero(), longest);
}

} // namespace

Rounds::Rounds(const GatekeeperContext& context, Grants& grants, Hearings& hearings,
               async::TaskGroup& tasks)
    : context_{context}, grants_{grants}, hearings_{hearings}, tasks_{tasks},
      background_{questions_at_once} {}

void Rounds::start() {
    tasks_.spawn("ends and renewals of grants", watch_grants());
    tasks_.spawn("daily look at public repos", watch_publics());
    tasks_.spawn("names of public repos", watch_names());
}

void Rounds::wake() {
    grants_changed_.notify_all();
    woken_.notify_all();
}

Awaitable<> Rounds::watch_grants() {
    for (;;) {
        const Moment now = context_.now();
        const Grants::Agenda agenda = grants_.look(now);
        for (const auto& key : agenda.renew) {
            tasks_.spawn("renewal of a grant", renew(key.uid, key.repo));
        }
        co_await grants_changed_.wait_for(until(agenda.next, now, longest_nap));
    }
}

Awaitable<> Rounds::renew(uid_t uid, hub::RepoId repo) {
    const auto permit = co_await background_.acquire();
    co_await hearings_.renew(uid, std::move(repo));
}

Awaitable<> Rounds::watch_publics() {
    for (;;) {
        const Moment now = context_.now();
        const auto due = grants_.next_public();
        if (due && due->at <= now.boot) {
            co_await ask_again(due->repo);
        } else {
            const auto then = due ? due->at : BootClock::time_point::max();
            co_await woken_.wait_for(until(then, now, std::chrono::minutes{1}));
        }
    }
}

/// Anybody can ask for any number of public repos: only those that are here are kept in mind.
Awaitable<> Rounds::watch_names() {
    for (auto last = context_.now().boot;;) {
        co_await woken_.wait_for(longest_nap);
        const auto now = context_.now().boot;
        if (now - last >= look_at_names) {
            last = now;
            co_await forget_names();
        }
    }
}

Awaitable<> Rounds::forget_names() {
    if (!context_.cached_repos) {
        co_return;
    }
    try {
        const std::vector<hub::RepoId> cached = co_await context_.cached_repos();
        const std::size_t count =
            grants_.forget_publics({cached.begin(), cached.end()}, context_.now(), keep_names);
        log::debug("access", "{} public repos that are not here are forgotten", count);
    } catch (const Error& error) { // the next look may be luckier
        log::debug("access", "the repos in the cache cannot be listed: {}", error.message());
    }
}

Awaitable<> Rounds::ask_again(hub::RepoId repo) {
    Span pause = pace;
    try {
        co_await hearings_.standing(repo);
    } catch (const Error& error) {
        log::debug("access", "a public repo could not be asked about: {}", name(error.kind()));
        grants_.note_public_tried(repo, context_.now());
        pause = pause_after_trouble;
    }
    co_await woken_.wait_for(pause);
}

void Rounds::look_into(const hub::RepoId& repo, BootClock::duration at_most_every) {
    if (is_due(not_before_, repo, context_.now().boot, at_most_every)) {
        tasks_.spawn("standing of a repo", ask_for_others(repo));
    }
}

void Rounds::doubt(uid_t uid, const hub::RepoId& repo) {
    look_into(repo, owner_pause);
    const Moment now = context_.now();
    if (!grants_.is_public(repo) && grants_.admits(uid, repo, now) &&
        is_due(renew_not_before_, std::pair{repo, uid}, now.boot, owner_pause)) {
        tasks_.spawn("doubt about a grant", renew(uid, repo));
    }
}

Awaitable<> Rounds::ask_for_others(hub::RepoId repo) {
    try {
        const auto permit = co_await background_.acquire();
        co_await hearings_.standing(repo);
    } catch (const Error& error) {
        log::debug("access", "a repo could not be asked about: {}", name(error.kind()));
        not_before_[repo] = context_.now().boot + owner_pause;
    }
}

} // namespace wharf::access
