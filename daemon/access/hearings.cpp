#include "daemon/access/hearings.hpp"

#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/hub/hub_error.hpp"

#include <utility>

namespace wharf::access {

Hearings::Hearings(const GatekeeperContext& context, Grants& grants, Doors& doors,
                   async::TaskGroup& tasks)
    : context_{context}, grants_{grants}, doors_{doors}, standings_{tasks} {}

Awaitable<Standing> Hearings::standing(hub::RepoId repo) {
    const Standing answer =
        co_await standings_.ask(repo, [this, repo] { return ask_standing(repo); });
    co_return answer;
}

Awaitable<Standing> Hearings::ask_standing(hub::RepoId repo) {
    const Moment asked = context_.now();
    const Standing standing = co_await context_.inquiry.standing(repo);
    if (standing == Standing::open) {
        grants_.note_public(repo, asked);
        co_await doors_.update(repo);
    } else if (grants_.note_restricted(repo)) {
        context_.audit.record({.action = AuditEvent::Action::revoke,
                               .uid = context_.owner,
                               .repo = hub::describe(repo),
                               .detail = "no longer open to all",
                               .result = "ok",
                               .restricted = true});
        co_await doors_.close(repo);
    }
    co_return standing;
}

/// None when the token may read the repo; the Hub's refusal when not.
Awaitable<std::optional<Error>> Hearings::ask_check(hub::RepoId repo, hub::Token token) {
    std::optional<Error> refusal;
    try {
        co_await context_.inquiry.check(std::move(repo), std::move(token));
    } catch (const Error& error) {
        if (!hub::is_refusal(error)) {
            throw;
        }
        refusal = error;
    }
    co_return refusal;
}

/// An answer about a token that the account has removed meanwhile does not count.
bool Hearings::is_still_stored(uid_t uid, const Claim& claim) const {
    return !claim.stored || context_.stored_token(uid) == claim.token;
}

Awaitable<> Hearings::prove(uid_t uid, hub::RepoId repo, Claim claim) {
    const Moment asked = context_.now();
    std::optional<Error> refusal = co_await ask_check(repo, claim.token);
    if (!refusal && !is_still_stored(uid, claim)) {
        refusal =
            Error{ErrorKind::unauthorized,
                  "the token was removed while the Hub was asked about " + hub::describe(repo),
                  "store another one with `wharf auth login`"};
    }
    if (!refusal) {
        if (grants_.note_proof(uid, repo, std::move(claim), asked)) {
            note_granted(uid, repo);
        }
        co_await doors_.update(repo);
        co_return;
    }
    if (grants_.revoke(uid, repo, asked)) {
        note_revoked(uid, repo, refusal->message(), name(refusal->kind()));
        co_await doors_.close(repo);
    }
    note_refusal(uid, repo, *refusal);
    throw *refusal;
}

Awaitable<> Hearings::renew(uid_t uid, hub::RepoId repo) {
    Grants::Renewal outcome = Grants::Renewal::impossible;
    const ScopeExit settle{[&] { grants_.settle_renewal(uid, repo, outcome, context_.now()); }};
    try {
        outcome = co_await try_renewal(uid, repo);
    } catch (const Error& error) {
        log::debug("access", "a grant could not be renewed: {}", name(error.kind()));
        if (hub::hub_is_away(error)) {
            outcome = Grants::Renewal::trouble;
        }
    }
}

Awaitable<Grants::Renewal> Hearings::try_renewal(uid_t uid, hub::RepoId repo) {
    const Moment asked = context_.now();
    const auto before = grants_.proven(uid, repo);
    std::optional<Error> refusal;
    const std::vector<Claim> claims = claims_of(uid, repo);
    for (const Claim& claim : claims) {
        refusal = co_await ask_check(repo, claim.token);
        if (!before || grants_.proven(uid, repo) != before) {
            co_return Grants::Renewal::answered; // it ended or was proven anew meanwhile
        }
        if (!refusal && is_still_stored(uid, claim)) {
            if (grants_.note_renewal(uid, repo, claim, asked)) {
                note_granted(uid, repo); // it had ended
            }
            co_return Grants::Renewal::answered;
        }
    }
    if (!refusal) {
        co_return Grants::Renewal::impossible;
    }
    if (grants_.revoke(uid, repo, asked)) {
        note_revoked(uid, repo, refusal->message(), name(refusal->kind()));
    }
    co_return Grants::Renewal::answered;
}

std::vector<Claim> Hearings::claims_of(uid_t uid, const hub::RepoId& repo) const {
    std::vector<Claim> claims;
    auto stored = context_.stored_token(uid);
    auto kept = grants_.kept_token(uid, repo);
    const bool same = stored == kept;
    if (!stored.empty()) {
        claims.push_back({.token = std::move(stored), .stored = true});
    }
    if (!kept.empty() && !same) {
        claims.push_back({.token = std::move(kept), .stored = false});
    }
    return claims;
}

void Hearings::note_granted(uid_t uid, const hub::RepoId& repo) {
    context_.audit.record({.action = AuditEvent::Action::grant,
                           .uid = uid,
                           .repo = hub::describe(repo),
                           .detail = {},
                           .result = "ok",
                           .restricted = true});
}

void Hearings::note_refusal(uid_t uid, const hub::RepoId& repo, const Error& refusal) {
    context_.audit.record({.action = AuditEvent::Action::refuse,
                           .uid = uid,
                           .repo = hub::describe(repo),
                           .detail = refusal.message(),
                           .result = std::string{name(refusal.kind())},
                           .restricted = true});
}

void Hearings::note_revoked(uid_t uid, const hub::RepoId& repo, std::string_view why,
                            std::string_view result) {
    context_.audit.record({.action = AuditEvent::Action::revoke,
                           .uid = uid,
                           .repo = hub::describe(repo),
                           .detail = std::string{why},
                           .result = std::string{result},
                           .restricted = true});
}

} // namespace wharf::access
