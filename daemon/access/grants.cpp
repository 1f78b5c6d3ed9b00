#include "daemon/access/grants.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

namespace wharf::access {

namespace {

using Time = BootClock::time_point;
using Span = BootClock::duration;

/// A public repo is served this long without another try when the Hub cannot be asked.
constexpr std::chrono::seconds public_pause{15};

/// After a renewal met trouble: the first pause, unless grant_ttl is too short for it.
constexpr std::chrono::seconds first_pause{15};
constexpr unsigned most_doublings = 6;

/// A use is written down when the last one written is older; so a grant in steady use is no steady
/// writing.
constexpr std::chrono::minutes use_resolution{10};

constexpr std::chrono::hours public_spread{2}; ///< of the daily questions
constexpr std::chrono::hours public_retry{1};

/// A part of `whole` that is the same for the same repo and account, and differs between them: what
/// was proven at once is not asked at once.
Span part_of(Span whole, const hub::RepoId& repo, uid_t uid) {
    constexpr std::size_t steps = 256;
    const std::size_t step = (std::hash<std::string_view>{}(repo.name) + uid * 97U) % steps;
    return whole / steps * static_cast<Span::rep>(step);
}

Moment moment_of(WallTime wall, Moment now) {
    return {now.boot - std::chrono::duration_cast<Span>(now.wall - wall), wall};
}

/// Stands for "never" with room for sums.
Moment long_ago(Moment now) {
    return moment_of(now.wall - std::chrono::days{3650}, now);
}

} // namespace

Grants::Grants(GatekeeperOptions options, Hooks hooks)
    : options_{options}, hooks_{std::move(hooks)} {}

void Grants::take_up(const AccessRecords& records, Moment now) {
    for (const auto& record : records.publics) {
        const bool makes_sense = record.proven <= now.wall;
        Public open;
        open.proven = makes_sense ? moment_of(record.proven, now) : long_ago(now);
        repos_[record.repo].open = open;
    }
    for (const auto& record : records.grants) {
        Grant grant;
        grant.proven = moment_of(record.proven, now);
        grant.used = moment_of(std::min(record.used, now.wall), now);
        grant.used_as_written = record.used;
        grant.by_stored = record.by_stored;
        grant.is_on = now.boot < end_of(grant);
        if (record.proven > now.wall || is_useless(grant, now)) {
            hooks_.changed({.key = {.repo = record.repo, .uid = record.uid}, .times = {}});
        } else {
            repos_[record.repo].grants.insert_or_assign(record.uid, std::move(grant));
        }
    }
}

const Grants::Grant* Grants::find(uid_t uid, const hub::RepoId& repo) const {
    const auto known = repos_.find(repo);
    if (known == repos_.end()) {
        return nullptr;
    }
    const auto grant = known->second.grants.find(uid);
    return grant == known->second.grants.end() ? nullptr : &grant->second;
}

Grants::Grant* Grants::find(uid_t uid, const hub::RepoId& repo) {
    return const_cast<Grant*>(std::as_const(*this).find(uid, repo));
}

Time Grants::end_of(const Grant& grant) const {
    const Time proof = grant.proven.boot;
    return std::max(proof + options_.grant_ttl,
                    std::min(grant.offline_until, proof + options_.offline_grace));
}

bool Grants::is_live(const Grant& grant, Moment now) const {
    return grant.is_on && now.boot < end_of(grant);
}

bool Grants::is_used(const Grant& grant, Moment now) const {
    return now.boot - grant.used.boot < options_.renew_for;
}

bool Grants::is_useless(const Grant& grant, Moment now) const {
    return !is_live(grant, now) && !grant.is_renewing &&
           (now.boot - grant.proven.boot >= options_.offline_grace ||
            now.boot - grant.used.boot >= forget_after);
}

bool Grants::is_public(const hub::RepoId& repo) const {
    const auto known = repos_.find(repo);
    return known != repos_.end() && known->second.open;
}

bool Grants::is_freshly_public(const hub::RepoId& repo, Moment now) const {
    const auto known = repos_.find(repo);
    if (known == repos_.end() || !known->second.open) {
        return false;
    }
    const Public& open = *known->second.open;
    return now.boot < std::max(open.proven.boot + options_.grant_ttl, open.fresh_until);
}

bool Grants::admits(uid_t uid, const hub::RepoId& repo, Moment now) {
    auto* const grant = find(uid, repo);
    if (grant != nullptr && is_live(*grant, now)) {
        grant->used = now;
        if (now.wall - grant->used_as_written >= use_resolution ||
            now.wall < grant->used_as_written) {
            write(repo, uid, *grant);
        }
        return true;
    }
    return is_freshly_public(repo, now);
}

store::Readers Grants::readers(const hub::RepoId& repo, Moment now) const {
    store::Readers readers;
    const auto known = repos_.find(repo);
    if (known == repos_.end()) {
        return readers;
    }
    readers.everyone = known->second.open.has_value();
    for (const auto& [uid, grant] : known->second.grants) {
        if (!readers.everyone && is_live(grant, now)) {
            readers.uids.insert(uid);
        }
    }
    return readers;
}

std::vector<hub::RepoId> Grants::repos() const {
    std::vector<hub::RepoId> names;
    names.reserve(repos_.size());
    for (const bool open : {false, true}) {
        for (const auto& [repo, known] : repos_) {
            if (known.open.has_value() == open) {
                names.push_back(repo);
            }
        }
    }
    return names;
}

void Grants::note_public(const hub::RepoId& repo, Moment asked) {
    auto& known = repos_[repo];
    const bool was_public = known.open.has_value();
    known.open = Public{.proven = asked};
    write(repo, *known.open);
    if (!was_public) {
        hooks_.readers_changed(repo);
    }
}

bool Grants::note_restricted(const hub::RepoId& repo) {
    const auto known = repos_.find(repo);
    if (known == repos_.end() || !known->second.open) {
        return false;
    }
    known->second.open.reset();
    if (known->second.grants.empty()) {
        repos_.erase(known);
    }
    hooks_.changed({.key = {.repo = repo, .uid = {}}, .times = {}});
    hooks_.readers_changed(repo);
    return true;
}

bool Grants::note_proof(uid_t uid, const hub::RepoId& repo, Claim claim, Moment asked) {
    repos_[repo].grants[uid].used = asked;
    return note_renewal(uid, repo, std::move(claim), asked);
}

bool Grants::note_renewal(uid_t uid, const hub::RepoId& repo, Claim claim, Moment asked) {
    auto& known = repos_.at(repo);
    Grant& grant = known.grants.at(uid);
    const bool was_live = is_live(grant, asked);
    grant.proven = asked;
    grant.by_stored = claim.stored;
    grant.is_on = true;
    grant.offline_until = {};
    if (!claim.stored) {
        grant.token = std::move(claim.token);
    }
    write(repo, uid, grant);
    if (!was_live && !known.open) {
        hooks_.readers_changed(repo);
    }
    return !was_live;
}

bool Grants::revoke(uid_t uid, const hub::RepoId& repo, Moment asked) {
    const auto* const grant = find(uid, repo);
    if (grant == nullptr || grant->proven.boot > asked.boot) {
        return false;
    }
    erase(repo, uid);
    return true;
}

std::vector<hub::RepoId> Grants::revoke_stored(uid_t uid) {
    std::vector<hub::RepoId> revoked;
    for (const auto& [repo, known] : repos_) {
        const auto grant = known.grants.find(uid);
        if (grant != known.grants.end() && grant->second.by_stored) {
            revoked.push_back(repo);
        }
    }
    for (const auto& repo : revoked) {
        erase(repo, uid);
    }
    return revoked;
}

bool Grants::serve_offline(uid_t uid, const hub::RepoId& repo, Moment now) {
    const auto known = repos_.find(repo);
    if (known == repos_.end()) {
        return false;
    }
    if (auto& open = known->second.open) {
        open->fresh_until = now.boot + std::min<Span>(options_.grant_ttl, public_pause);
        return true;
    }
    const auto grant = known->second.grants.find(uid);
    if (grant == known->second.grants.end()) {
        return false;
    }
    grant->second.used = now;
    extend(repo, grant->second, now);
    return is_live(grant->second, now);
}

void Grants::extend(const hub::RepoId& repo, Grant& grant, Moment now) {
    if (now.boot - grant.proven.boot >= options_.offline_grace) {
        return;
    }
    const bool was_live = is_live(grant, now);
    grant.offline_until = now.boot + options_.grant_ttl;
    grant.is_on = true;
    if (!was_live) {
        hooks_.readers_changed(repo);
    }
}

Grants::Agenda Grants::look(Moment now) {
    Agenda agenda{.renew = {}, .next = Time::max()};
    std::vector<GrantKey> useless;
    for (auto& [repo, known] : repos_) {
        bool ended = false;
        for (auto& [uid, grant] : known.grants) {
            if (grant.is_on && !is_live(grant, now)) {
                grant.is_on = false;
                ended = true;
            }
            if (is_useless(grant, now)) {
                useless.push_back({.repo = repo, .uid = uid});
            } else {
                plan(repo, uid, grant, agenda, now);
            }
        }
        if (ended && !known.open) {
            hooks_.readers_changed(repo);
        }
    }
    for (const auto& key : useless) {
        erase(key.repo, key.uid);
    }
    return agenda;
}

/// What the future holds for one grant.
void Grants::plan(const hub::RepoId& repo, uid_t uid, Grant& grant, Agenda& agenda, Moment now) {
    if (grant.is_on) {
        agenda.next = std::min(agenda.next, end_of(grant));
    }
    if (!is_used(grant, now)) {
        grant.token = {};
        return;
    }
    if (grant.is_renewing || is_public(repo)) {
        return;
    }
    const Span ttl = options_.grant_ttl;
    const Time half = grant.proven.boot + ttl / 2 + part_of(ttl / 8, repo, uid);
    const Time at = std::max(half, grant.renew_not_before);
    if (at <= now.boot) {
        grant.is_renewing = true;
        agenda.renew.push_back({.repo = repo, .uid = uid});
    } else {
        agenda.next = std::min(agenda.next, at);
    }
}

void Grants::settle_renewal(uid_t uid, const hub::RepoId& repo, Renewal outcome, Moment now) {
    auto* const grant = find(uid, repo);
    if (grant == nullptr) {
        return;
    }
    grant->is_renewing = false;
    const Span ttl = options_.grant_ttl;
    switch (outcome) {
    case Renewal::answered:
        grant->troubles = 0;
        grant->renew_not_before = {};
        break;
    case Renewal::impossible: // until the account stores a token
        grant->renew_not_before = now.boot + ttl / 8;
        break;
    case Renewal::trouble: {
        const Span shortest = std::min<Span>(first_pause, ttl / 8);
        const Span pause = shortest * (1L << std::min(grant->troubles++, most_doublings));
        // At most half the time that the folder stays open: the next try comes before it closes.
        grant->renew_not_before = now.boot + std::min(pause, ttl / 2);
        extend(repo, *grant, now);
        break;
    }
    }
}

hub::Token Grants::kept_token(uid_t uid, const hub::RepoId& repo) const {
    const auto* const grant = find(uid, repo);
    return grant == nullptr ? hub::Token{} : grant->token;
}

std::optional<Time> Grants::proven(uid_t uid, const hub::RepoId& repo) const {
    const auto* const grant = find(uid, repo);
    return grant == nullptr ? std::nullopt : std::optional{grant->proven.boot};
}

std::optional<Grants::Due> Grants::next_public() const {
    std::optional<Due> first;
    for (const auto& [repo, known] : repos_) {
        if (!known.open) {
            continue;
        }
        const Time daily =
            known.open->proven.boot + ask_public_every - part_of(public_spread, repo, 0);
        const Time at = std::max(daily, known.open->not_before);
        if (!first || at < first->at) {
            first = Due{.repo = repo, .at = at};
        }
    }
    return first;
}

std::size_t Grants::forget_publics(const std::set<hub::RepoId>& cached, Moment now,
                                   Span proven_before) {
    std::vector<hub::RepoId> useless;
    for (const auto& [repo, known] : repos_) {
        if (known.open && now.boot - known.open->proven.boot >= proven_before &&
            !cached.contains(repo)) {
            useless.push_back(repo);
        }
    }
    for (const auto& repo : useless) {
        note_restricted(repo);
    }
    return useless.size();
}

void Grants::note_public_tried(const hub::RepoId& repo, Moment now) {
    const auto known = repos_.find(repo);
    if (known != repos_.end() && known->second.open) {
        known->second.open->not_before = now.boot + public_retry;
    }
}

void Grants::write(const hub::RepoId& repo, const Public& open) {
    hooks_.changed({.key = {.repo = repo, .uid = {}},
                    .times = RecordChange::Times{
                        .proven = open.proven.wall, .used = open.proven.wall, .by_stored = false}});
}

void Grants::write(const hub::RepoId& repo, uid_t uid, Grant& grant) {
    grant.used_as_written = grant.used.wall;
    hooks_.changed({.key = {.repo = repo, .uid = uid},
                    .times = RecordChange::Times{.proven = grant.proven.wall,
                                                 .used = grant.used.wall,
                                                 .by_stored = grant.by_stored}});
}

void Grants::erase(const hub::RepoId& repo, uid_t uid) {
    const auto known = repos_.find(repo);
    const auto grant = known->second.grants.find(uid);
    const bool closes = grant->second.is_on && !known->second.open;
    known->second.grants.erase(grant);
    const hub::RepoId name = repo; // `repo` may be the map's own key
    if (known->second.grants.empty() && !known->second.open) {
        repos_.erase(known);
    }
    hooks_.changed({.key = {.repo = name, .uid = uid}, .times = {}});
    if (closes) {
        hooks_.readers_changed(name);
    }
}

} // namespace wharf::access
