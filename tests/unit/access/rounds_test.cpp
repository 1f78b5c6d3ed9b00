#include "tests/unit/access/scene.hpp"

#include <algorithm>

using namespace wharf;
using namespace wharf::access;
using namespace wharf::access::test;
using namespace std::chrono_literals;
using std::string;
using Lines = std::vector<string>;

namespace {

Awaitable<> expect(Scene& scene, uid_t uid, Token token, RepoId repo, string outcome) {
    const string found = co_await scene.ask(uid, std::move(token), std::move(repo));
    CHECK(found == outcome);
}

Awaitable<> renewed(Scene& scene) {
    scene.stored[alice] = alices;
    co_await expect(scene, alice, Token{}, gated_repo, "ok");
    co_await expect(scene, bob, bobs, gated_repo, "ok"); // kept in memory
    scene.hub.take_asked();
    scene.audit.take();
    co_await scene.advance(4min + 59s);
    CHECK(scene.hub.take_asked().empty());
    co_await scene.advance(1min + 20s); // half of grant_ttl, and what divides them
    Lines asked = scene.hub.take_asked();
    std::ranges::sort(asked);
    CHECK(asked == Lines{"check org/gated hf_alice", "check org/gated hf_bob"});
    co_await scene.advance(9min);
    CHECK(scene.keeper().admits(alice, gated_repo));
    CHECK(scene.keeper().admits(bob, gated_repo));
    CHECK(scene.doors[gated_repo] == only({alice, bob}));
    CHECK(scene.audit.take().empty()); // a renewal is no event
}

Awaitable<> renewed_while_used(Scene& scene) {
    co_await expect(scene, alice, alices, gated_repo, "ok");
    for (int i = 0; i < 12 * 60 / 7; ++i) { // a little less than renew_for
        co_await scene.advance(7min);
    }
    CHECK(scene.doors[gated_repo] == only({alice}));
    scene.hub.take_asked();
    for (int i = 0; i < 4; ++i) {
        co_await scene.advance(7min);
    }
    CHECK(scene.doors[gated_repo] == only({})); // nobody has used it since
    CHECK(scene.hub.take_asked().empty());
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
    co_await expect(scene, alice, alices, gated_repo, "ok"); // used again, renewed again
    co_await scene.advance(7min);
    co_await scene.advance(7min);
    CHECK(scene.doors[gated_repo] == only({alice}));
}

Awaitable<> the_kept_token_goes(Scene& scene) {
    scene.options.renew_for = 8min;
    scene.keeper().set_options(scene.options);
    co_await expect(scene, alice, alices, gated_repo, "ok");
    co_await scene.advance(8min); // it was renewed last when it was used
    scene.options.renew_for = 12h;
    scene.keeper().set_options(scene.options);
    scene.hub.take_asked();
    co_await scene.advance(8min);
    co_await scene.advance(8min);
    CHECK(scene.hub.take_asked().empty()); // there is no token any more
    CHECK(scene.doors[gated_repo] == only({}));
}

Awaitable<> refused_in_background(Scene& scene) {
    scene.stored[alice] = alices;
    co_await expect(scene, alice, Token{}, gated_repo, "ok");
    scene.audit.take();
    scene.hub.readers[gated_repo].clear();
    co_await scene.advance(7min);
    CHECK(scene.doors[gated_repo] == only({}));
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
    CHECK(scene.audit.take() == Lines{"revoke 1001 model org/gated gated"});
}

/// The stored token may be of an account that was never let in; the call's still is.
Awaitable<> either_token_renews(Scene& scene) {
    scene.stored[alice] = Token{"hf_other"};
    co_await expect(scene, alice, alices, gated_repo, "ok");
    scene.hub.take_asked();
    co_await scene.advance(7min);
    CHECK(scene.hub.take_asked() == Lines{"check org/gated hf_other", "check org/gated hf_alice"});
    CHECK(scene.doors[gated_repo] == only({alice}));
}

Awaitable<> trouble(Scene& scene) {
    co_await expect(scene, alice, alices, gated_repo, "ok");
    scene.hub.trouble = ErrorKind::unavailable;
    scene.hub.take_asked();
    int closed = 0;
    for (int minute = 1; minute < 12 * 60; ++minute) { // in use until renew_for ends
        co_await scene.advance(1min);
        closed += scene.doors[gated_repo] == only({alice}) ? 0 : 1;
    }
    CHECK(closed == 0);
    const auto asked = scene.hub.take_asked().size();
    CHECK(asked > 12 * 60 / 6 - 4); // at least every grant_ttl / 2, or it would close
    CHECK(asked < 12 * 60 / 5 + 8); // and no more often, after the first ones
    CHECK(scene.keeper().admits(alice, gated_repo));
    for (int minute = 0; minute < 12 * 60 + 1; minute += 5) {
        co_await scene.advance(5min);
    }
    CHECK(scene.doors[gated_repo] == only({})); // the grace is over
    co_await expect(scene, alice, alices, gated_repo, "unavailable");
    scene.hub.trouble.reset();
    co_await expect(scene, alice, alices, gated_repo, "ok");
}

/// A renewal's refusal is older than a proof that came while it was on its way.
Awaitable<> newer_proof_stays(Scene& scene) {
    scene.stored[alice] = alices;
    co_await expect(scene, alice, Token{}, gated_repo, "ok");
    scene.hub.slow = alices;
    scene.hub.readers[gated_repo] = {"hf_new"};
    co_await scene.advance(7min);
    co_await scene.advance(4min); // the grant has ended, its renewal is on its way
    CHECK(scene.doors[gated_repo] == only({}));
    co_await expect(scene, alice, Token{"hf_new"}, gated_repo, "ok");
    scene.hub.let_go();
    co_await Scene::settle();
    CHECK(scene.keeper().admits(alice, gated_repo));
    CHECK(scene.doors[gated_repo] == only({alice}));
}

Awaitable<> logout_stops_renewal(Scene& scene) {
    scene.stored[alice] = alices;
    co_await expect(scene, alice, Token{}, gated_repo, "ok");
    scene.hub.held = true;
    co_await scene.advance(7min);
    scene.stored.erase(alice);
    scene.keeper().forget_account(alice);
    scene.hub.let_go();
    co_await Scene::settle();
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
    CHECK(scene.doors[gated_repo] == only({}));
}

/// Nor does it go on with the token of a call, when the stored one was the last to prove it.
Awaitable<> logout_stops_other_token(Scene& scene) {
    const Token store_token{"hf_store"};
    scene.hub.readers[gated_repo].insert(std::string{store_token.reveal()});
    co_await expect(scene, alice, alices, gated_repo, "ok");
    scene.stored[alice] = store_token;
    co_await scene.advance(7min); // renewed by the stored one
    scene.hub.slow = store_token;
    co_await scene.advance(7min);
    scene.stored.erase(alice);
    scene.keeper().forget_account(alice);
    scene.hub.let_go();
    co_await Scene::settle();
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
    CHECK(scene.doors[gated_repo] == only({}));
}

Awaitable<> daily(Scene& scene) {
    const RepoId other{RepoType::dataset, "org/other"};
    scene.cached = {open_repo, other};
    scene.hub.standings[other] = Standing::open;
    co_await expect(scene, alice, Token{}, open_repo, "ok");
    co_await expect(scene, alice, Token{}, other, "ok");
    scene.hub.standings[open_repo] = Standing::gated;
    scene.hub.take_asked();
    co_await scene.advance(21h);
    CHECK(scene.hub.take_asked().empty());
    CHECK(scene.doors[open_repo] == everyone());
    co_await scene.advance(3h);
    co_await scene.advance(0s); // not both at once
    Lines asked = scene.hub.take_asked();
    std::ranges::sort(asked);
    CHECK(asked == Lines{"standing org/open", "standing org/other"});
    CHECK(scene.doors[open_repo] == only({})); // nobody had to ask
    CHECK(scene.doors[other] == everyone());
    CHECK(scene.keeper().is_public(other));
}

Awaitable<> names_are_forgotten(Scene& scene) {
    const RepoId here{RepoType::model, "org/here"};
    scene.hub.standings[here] = Standing::open;
    scene.cached = {here};
    co_await expect(scene, alice, Token{}, here, "ok");
    co_await expect(scene, alice, Token{}, open_repo, "ok");
    co_await scene.advance(5h);
    CHECK(scene.keeper().is_public(open_repo)); // a download may be on its way
    co_await scene.advance(2h);
    CHECK_FALSE(scene.keeper().is_public(open_repo));
    CHECK(scene.keeper().is_public(here));
    scene.hub.take_asked();
    scene.audit.take();
    co_await scene.advance(24h);
    co_await scene.advance(1h);
    CHECK(scene.hub.take_asked() == Lines{"standing org/here"}); // of the other nobody is asked
    CHECK(scene.audit.take().empty());
    co_await scene.restart(1min);
    CHECK_FALSE(scene.keeper().is_public(open_repo));
    CHECK(scene.keeper().is_public(here));
    co_await expect(scene, alice, Token{}, open_repo, "ok"); // asked for again, asked about again
}

Awaitable<> daily_trouble(Scene& scene) {
    scene.cached = {open_repo};
    co_await expect(scene, alice, Token{}, open_repo, "ok");
    scene.hub.trouble = ErrorKind::network;
    scene.hub.take_asked();
    co_await scene.advance(24h);
    co_await scene.advance(1min);
    CHECK(scene.hub.take_asked().size() == 1);
    CHECK(scene.doors[open_repo] == everyone());
    scene.hub.trouble.reset();
    scene.hub.standings.erase(open_repo);
    co_await scene.advance(1h);
    CHECK(scene.doors[open_repo] == only({}));
}

Awaitable<> restart(Scene& scene) {
    scene.options.renew_for = 0ms;
    scene.keeper().set_options(scene.options);
    co_await expect(scene, alice, alices, gated_repo, "ok");
    co_await expect(scene, alice, Token{}, open_repo, "ok");
    co_await scene.advance(6min);
    co_await expect(scene, bob, bobs, gated_repo, "ok");
    scene.hub.take_asked();
    scene.doors.clear();
    const RepoId stray{RepoType::space, "org/stray"};
    scene.cached = {open_repo, stray};
    co_await scene.restart(3min);
    CHECK(scene.doors[open_repo] == everyone());
    CHECK(scene.doors[gated_repo] == only({alice, bob}));
    REQUIRE(scene.doors.contains(stray));
    CHECK(scene.doors[stray] == only({})); // the cache holds it, and nothing is known of it
    CHECK(scene.hub.take_asked() == Lines{"standing org/stray"}); // for those who come by path
    CHECK(scene.keeper().admits(alice, gated_repo));
    CHECK(scene.keeper().admits(alice, open_repo));
    co_await scene.advance(1min); // ten since the proof: the restart has prolonged nothing
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
    CHECK_FALSE(scene.keeper().admits(alice, open_repo));
    CHECK(scene.doors[gated_repo] == only({bob}));

    scene.cached = {open_repo};
    co_await scene.restart(10min);
    CHECK(scene.doors[gated_repo] == only({}));
    CHECK(scene.doors[open_repo] == everyone());
    CHECK(scene.hub.take_asked().empty());
    scene.hub.trouble = ErrorKind::network;
    co_await expect(scene, bob, Token{}, gated_repo, "ok"); // the proof is known all the same
    CHECK(scene.doors[gated_repo] == only({bob}));
    co_await scene.restart(0s); // what an absence of the Hub opened is not
    CHECK(scene.doors[gated_repo] == only({}));
    co_await scene.restart(24h);
    co_await expect(scene, bob, bobs, gated_repo, "network");
}

Awaitable<> restart_renews(Scene& scene) {
    scene.stored[alice] = alices;
    co_await expect(scene, alice, Token{}, gated_repo, "ok");
    co_await expect(scene, bob, bobs, gated_repo, "ok");
    scene.hub.take_asked();
    co_await scene.restart(1h);
    // A token that came with a call is gone; a stored one serves.
    CHECK(scene.hub.take_asked() == Lines{"check org/gated hf_alice"});
    CHECK(scene.doors[gated_repo] == only({alice}));
}

Awaitable<> logout_after_restart(Scene& scene) {
    scene.stored[alice] = alices;
    co_await expect(scene, alice, Token{}, gated_repo, "ok");
    co_await scene.restart(1min);
    scene.stored.clear();
    scene.keeper().forget_account(alice);
    co_await Scene::settle();
    CHECK(scene.doors[gated_repo] == only({}));
    co_await scene.restart(0s);
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
}

Awaitable<> clock_set_back(Scene& scene) {
    scene.options.renew_for = 0ms;
    scene.keeper().set_options(scene.options);
    co_await expect(scene, alice, alices, gated_repo, "ok");
    scene.set_wall_clock(-1h);
    co_await scene.advance(10min); // a running daemon does not go by it
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
    CHECK(scene.doors[gated_repo] == only({}));
    co_await scene.restart(0s); // and for the next one, the proof is in the future
    scene.hub.trouble = ErrorKind::network;
    co_await expect(scene, alice, alices, gated_repo, "network");
}

Awaitable<> future_public(Scene& scene) {
    co_await expect(scene, alice, Token{}, open_repo, "ok");
    scene.set_wall_clock(-1h);
    scene.hub.take_asked();
    co_await scene.restart(0s);
    // It is public as far as is known, and that is asked about at once.
    CHECK(scene.hub.take_asked() == Lines{"standing org/open"});
    CHECK(scene.doors[open_repo] == everyone());
}

Awaitable<> shorter_ttl(Scene& scene) {
    scene.options.renew_for = 0ms;
    scene.keeper().set_options(scene.options);
    co_await expect(scene, alice, alices, gated_repo, "ok");
    co_await scene.advance(5min);
    scene.options.grant_ttl = 2min;
    scene.keeper().set_options(scene.options);
    co_await Scene::settle();
    CHECK(scene.doors[gated_repo] == only({}));
    scene.options.grant_ttl = 1h; // what has ended stays so
    scene.keeper().set_options(scene.options);
    co_await Scene::settle();
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
    CHECK(scene.doors[gated_repo] == only({}));
}

} // namespace

TEST_CASE("a grant is renewed at half of its time, with the stored token or the call's") {
    play(renewed);
}
TEST_CASE("a grant is renewed for as long as it was used lately") {
    play(renewed_while_used);
}
TEST_CASE("the token of a call is dropped when the grant is no longer used") {
    play(the_kept_token_goes);
}
TEST_CASE("access that was revoked at the Hub ends at the next renewal") {
    play(refused_in_background);
}
TEST_CASE("a grant lives on if either of the account's tokens is let in") {
    play(either_token_renews);
}
TEST_CASE("a renewal that meets trouble leaves the folder open until the grace is over") {
    play(trouble);
}
TEST_CASE("a late refusal does not end a newer proof") {
    play(newer_proof_stays);
}
TEST_CASE("a renewal on its way does not survive the logout") {
    play(logout_stops_renewal);
    play(logout_stops_other_token);
}
TEST_CASE("public repos are asked about every day, and closed when they became private") {
    play(daily);
}
TEST_CASE("public repos that are not in the cache are not kept in mind") {
    play(names_are_forgotten);
}
TEST_CASE("a daily question that met trouble is put again within the hour") {
    play(daily_trouble);
}
TEST_CASE("a restart sets the doors from what is known, and prolongs nothing") {
    play(restart);
}
TEST_CASE("after a restart, grants with a stored token are renewed") {
    play(restart_renews);
}
TEST_CASE("a logout is not forgotten by a restart, nor what it ends") {
    play(logout_after_restart);
}
TEST_CASE("a clock that is set back prolongs no grant") {
    play(clock_set_back);
}
TEST_CASE("a public repo whose proof is in the future is asked about at once") {
    play(future_public);
}
TEST_CASE("options that change end grants, and revive none") {
    play(shorter_ttl);
}
