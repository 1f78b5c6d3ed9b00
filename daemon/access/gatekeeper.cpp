#include "daemon/access/gatekeeper.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "daemon/access/access_store.hpp"
#include "daemon/access/doors.hpp"
#include "daemon/access/grants.hpp"
#include "daemon/access/hearings.hpp"
#include "daemon/access/refusals.hpp"
#include "daemon/access/rounds.hpp"
#include "daemon/async/event.hpp"
#include "daemon/hub/hub_error.hpp"

#include <fmt/format.h>

#include <compare>
#include <set>
#include <string>
#include <utility>

namespace wharf::access {

namespace {

/// Questions of one account on their way at once; enough for any program, too few to keep the Hub
/// busy in our name.
constexpr std::size_t most_questions = 64;
constexpr std::chrono::seconds list_again{15};

/// What is decided once for all who ask it at the same time. A token is named by its hash.
struct CaseKey {
    uid_t uid = 0;
    hub::RepoId repo;
    std::string token;

    auto operator<=>(const CaseKey&) const = default;
};

/// The answer of a case: it is let in. Else there is an Error.
struct Admission {};

} // namespace

struct Gatekeeper::Impl {
    Impl(GatekeeperContext given, GatekeeperOptions chosen);

    Awaitable<Admission> decide(uid_t uid, hub::RepoId repo, Claim claim);
    Awaitable<> ask_hub(uid_t uid, hub::RepoId repo, Claim claim);
    Claim claim_of(uid_t uid, hub::Token token) const;
    void require_few_questions(uid_t uid) const;
    Awaitable<std::vector<hub::RepoId>> cached_repos();
    Awaitable<> set_doors();

    const GatekeeperContext context;
    GatekeeperOptions options;
    AccessStore store;
    async::TaskGroup tasks;
    Grants grants;
    Doors doors;
    Hearings hearings;
    Rounds rounds;
    Questions<CaseKey, Admission> cases;
};

Gatekeeper::Impl::Impl(GatekeeperContext given, GatekeeperOptions chosen)
    : context{std::move(given)}, options{chosen}, store{context.executor, context.database},
      tasks{context.executor},
      grants{options,
             {.changed =
                  [this](const RecordChange& change) {
                      store.note(change);
                      rounds.grant_changed();
                  },
              .readers_changed = [this](const hub::RepoId& repo) { doors.update_soon(repo); }}},
      doors{tasks,
            {.set_readers = context.set_readers,
             .readers =
                 [this](const hub::RepoId& repo) { return grants.readers(repo, context.now()); }}},
      hearings{context, grants, doors, tasks}, rounds{context, grants, hearings, tasks},
      cases{tasks} {}

Awaitable<std::vector<hub::RepoId>> Gatekeeper::Impl::cached_repos() {
    while (context.cached_repos) {
        try {
            std::vector<hub::RepoId> found = co_await context.cached_repos();
            co_return found;
        } catch (const Error& error) { // folders that nothing is known of must not stay open
            log::error("access", "the repos in the cache cannot be listed: {}", error.message());
        }
        co_await async::sleep_for(list_again);
    }
    co_return std::vector<hub::RepoId>{};
}

/// Folders are set one after the other, those that must not stay open first.
Awaitable<> Gatekeeper::Impl::set_doors() {
    const std::vector<hub::RepoId> known = grants.repos();
    const std::set<hub::RepoId> in_book{known.begin(), known.end()};
    const std::vector<hub::RepoId> cached = co_await cached_repos();
    for (const auto& repo : cached) {
        if (!grants.is_public(repo)) {
            co_await doors.close(repo);
        }
    }
    for (const auto& repo : known) {
        co_await doors.close(repo); // or open: as the book says
    }
    // Of a cache that others filled, what all may read need not wait for somebody to ask us for it.
    for (const auto& repo : cached) {
        if (!in_book.contains(repo)) {
            rounds.look_into(repo, options.grant_ttl);
        }
    }
}

/// What the stored token proves ends with it, so it must be known as such.
Claim Gatekeeper::Impl::claim_of(uid_t uid, hub::Token token) const {
    const bool stored = !token.empty() && token == context.stored_token(uid);
    return {.token = std::move(token), .stored = stored};
}

void Gatekeeper::Impl::require_few_questions(uid_t uid) const {
    const auto asked = cases.count_if([uid](const CaseKey& key) { return key.uid == uid; });
    if (asked >= most_questions) {
        throw Error{
            ErrorKind::rate_limited,
            fmt::format("{} questions about your access are on their way to the Hub", asked),
            "wait until some of them are answered, then try again"};
    }
}

Awaitable<Admission> Gatekeeper::Impl::decide(uid_t uid, hub::RepoId repo, Claim claim) {
    std::optional<Error> away;
    try {
        co_await ask_hub(uid, repo, std::move(claim));
    } catch (const Error& error) {
        if (!hub::hub_is_away(error)) {
            throw;
        }
        away = error;
    }
    if (away && !grants.serve_offline(uid, repo, context.now())) {
        throw *away;
    }
    if (away) {
        co_await doors.update(repo);
    }
    co_return Admission{};
}

/// Goes the same way for every repo that is not public, whatever we hold or know of it.
Awaitable<> Gatekeeper::Impl::ask_hub(uid_t uid, hub::RepoId repo, Claim claim) {
    std::optional<Standing> standing;
    try {
        standing = co_await hearings.standing(repo);
    } catch (const Error& error) {
        // The quota of those without a token is one for all: who has used it up must not lock out
        // those with tokens.
        if (error.kind() != ErrorKind::rate_limited || claim.token.empty() ||
            grants.is_public(repo)) {
            throw;
        }
    }
    if (standing == Standing::open) {
        co_return;
    }
    if (claim.token.empty()) {
        const Error refusal = refusal_without_token(standing.value(), repo);
        hearings.note_refusal(uid, repo, refusal);
        throw refusal;
    }
    co_await hearings.prove(uid, repo, std::move(claim));
}

Gatekeeper::Gatekeeper(GatekeeperContext context, GatekeeperOptions options)
    : impl_{std::make_unique<Impl>(std::move(context), options)} {}

Gatekeeper::~Gatekeeper() = default;

void Gatekeeper::start() {
    impl_->grants.take_up(impl_->store.all(), impl_->context.now());
    impl_->tasks.spawn("folders at the start", impl_->set_doors());
    impl_->rounds.start();
}

Awaitable<> Gatekeeper::require(uid_t uid, hub::Token token, hub::RepoId repo) {
    if (admits(uid, repo)) {
        co_return;
    }
    Claim claim = impl_->claim_of(uid, std::move(token));
    CaseKey key{.uid = uid,
                .repo = repo,
                .token = claim.token.empty() ? "" : sha256_hex(claim.token.reveal())};
    if (!impl_->cases.is_asked(key)) {
        impl_->require_few_questions(uid);
    }
    auto put = [this, uid, repo, claim] { return impl_->decide(uid, repo, claim); };
    co_await impl_->cases.ask(std::move(key), std::move(put));
}

bool Gatekeeper::admits(uid_t uid, const hub::RepoId& repo) {
    const bool known = impl_->grants.admits(uid, repo, impl_->context.now());
    if (uid != impl_->context.owner) {
        return known;
    }
    if (!known) {
        impl_->rounds.look_into(repo, impl_->options.grant_ttl);
    }
    return true;
}

void Gatekeeper::doubt(uid_t uid, const hub::RepoId& repo) {
    impl_->rounds.doubt(uid, repo);
}

bool Gatekeeper::is_public(const hub::RepoId& repo) const {
    return impl_->grants.is_public(repo);
}

void Gatekeeper::forget_account(uid_t uid) {
    for (const auto& repo : impl_->grants.revoke_stored(uid)) {
        impl_->hearings.note_revoked(uid, repo, "the account's token was removed", "ok");
    }
}

void Gatekeeper::set_options(GatekeeperOptions options) {
    impl_->options = options;
    impl_->grants.set_options(options);
    impl_->rounds.wake();
}

void Gatekeeper::wake() {
    impl_->rounds.wake();
}

Awaitable<> Gatekeeper::stop() {
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    impl_->tasks.cancel();
    co_await impl_->tasks.join();
    co_await impl_->store.stop();
}

} // namespace wharf::access
