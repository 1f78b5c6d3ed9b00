#include "daemon/hub/hub_error.hpp"
#include "tests/unit/access/scene.hpp"

#include <algorithm>

using namespace wharf;
using namespace wharf::access;
using namespace wharf::access::test;
using namespace std::chrono_literals;
using std::string;
using Lines = std::vector<string>;

#define CHECK_ASK(uid, token, repo, expected)                                                      \
    do {                                                                                           \
        const string outcome = co_await scene.ask(uid, token, repo);                               \
        CHECK(outcome == expected);                                                                \
    } while (false)

namespace {

Awaitable<> public_repo(Scene& scene) {
    CHECK_ASK(alice, Token{}, open_repo, "ok");
    CHECK(scene.doors[open_repo] == everyone());
    CHECK(scene.keeper().is_public(open_repo));
    CHECK_ASK(bob, bobs, open_repo, "ok");
    CHECK(scene.keeper().admits(bob, open_repo));
    CHECK(scene.hub.take_asked() == Lines{"standing org/open"}); // no token was shown
    CHECK(scene.audit.take().empty());

    co_await scene.advance(11min);
    CHECK_FALSE(scene.keeper().admits(bob, open_repo));
    CHECK_ASK(bob, bobs, open_repo, "ok");
    CHECK(scene.hub.take_asked() == Lines{"standing org/open"});
}

Awaitable<> no_token(Scene& scene) {
    const hub::Subject subject{.repo = gated_repo, .revision = {}, .path = {}};
    net::Headers headers;
    headers.add("X-Error-Code", "GatedRepo");
    CHECK_ASK(alice, Token{}, gated_repo, "gated");
    CHECK(scene.failure->message() ==
          hub::hub_error({.status = 403, .headers = headers, .body = {}, .now = {}}, subject)
              .message());
    CHECK(scene.failure->hint().find("wharf auth login") != string::npos);

    CHECK_ASK(alice, Token{}, secret_repo, "repo_not_found");
    const string secret = scene.failure->message();
    CHECK(secret == hub::hub_error({.status = 404, .headers = {}, .body = {}, .now = {}},
                                   {.repo = secret_repo, .revision = {}, .path = {}})
                        .message());
    CHECK(scene.failure->hint().find("wharf auth login") != string::npos);
    CHECK(scene.doors.empty());
    CHECK(scene.audit.take() == Lines{"refuse 1001 model org/gated gated",
                                      "refuse 1001 model org/secret repo_not_found"});
}

Awaitable<> own_proofs(Scene& scene) {
    CHECK_ASK(alice, alices, gated_repo, "ok");
    CHECK(scene.doors[gated_repo] == only({alice}));
    CHECK_ASK(alice, Token{"hf_other"}, gated_repo, "ok"); // a live grant suffices
    CHECK_ASK(alice, Token{}, gated_repo, "ok");
    CHECK(scene.hub.take_asked() == Lines{"standing org/gated", "check org/gated hf_alice"});
    CHECK(scene.audit.take() == Lines{"grant 1001 model org/gated ok"});

    // Nobody is served by another's proof.
    CHECK_FALSE(scene.keeper().admits(bob, gated_repo));
    CHECK_ASK(bob, Token{}, gated_repo, "gated");
    CHECK_ASK(bob, Token{"hf_stranger"}, gated_repo, "gated");
    CHECK(scene.doors[gated_repo] == only({alice}));
    CHECK_ASK(bob, bobs, gated_repo, "ok");
    CHECK(scene.doors[gated_repo] == only({alice, bob}));
    CHECK_FALSE(scene.keeper().is_public(gated_repo));
}

Awaitable<> stored_tokens(Scene& scene) {
    scene.stored[alice] = alices;
    CHECK_ASK(alice, Token{}, secret_repo, "ok");
    CHECK_ASK(bob, Token{}, secret_repo, "repo_not_found"); // one's token is for oneself
    CHECK(scene.hub.take_asked() ==
          Lines{"standing org/secret", "check org/secret hf_alice", "standing org/secret"});
}

Awaitable<> none_by_choice(Scene& scene) {
    scene.stored[alice] = alices;
    bool refused = false;
    try {
        co_await scene.keeper().require(alice, Token{}, secret_repo);
    } catch (const Error& error) {
        refused = error.kind() == ErrorKind::repo_not_found;
    }
    CHECK(refused);
    CHECK(scene.hub.take_asked() == Lines{"standing org/secret"});
}

/// What is asked and told about a repo, by three who may not read it.
Awaitable<> ask_all_ways(Scene& scene, RepoId repo, std::vector<Lines>* seen) {
    for (const Token& token : {Token{}, Token{"hf_stranger"}}) {
        scene.hub.take_asked();
        const std::size_t doors_before = scene.doors_set;
        string outcome = co_await scene.ask(1003, token, repo);
        Lines lines = scene.hub.take_asked();
        lines.push_back(std::move(outcome));
        lines.push_back(scene.failure->message());
        lines.push_back(scene.failure->hint());
        CHECK(scene.doors_set == doors_before);
        for (auto& line : lines) { // the name alone may differ
            if (const auto at = line.find(repo.name); at != string::npos) {
                line.replace(at, repo.name.size(), "REPO");
            }
        }
        seen->push_back(std::move(lines));
    }
}

Awaitable<> nothing_tells(Scene& scene) {
    CHECK_ASK(alice, alices, secret_repo, "ok");
    CHECK_ASK(bob, bobs, secret_repo, "ok");
    std::vector<Lines> of_secret;
    std::vector<Lines> of_absent;
    co_await ask_all_ways(scene, secret_repo, &of_secret);
    co_await ask_all_ways(scene, absent_repo, &of_absent);
    CHECK(of_secret == of_absent);
    CHECK(of_secret.front().size() == 4);

    // It asks again each time: that a repo is not public is never remembered.
    co_await ask_all_ways(scene, secret_repo, &of_secret);
    co_await ask_all_ways(scene, absent_repo, &of_absent);
    CHECK(of_secret == of_absent);

    for (const auto kind : {ErrorKind::network, ErrorKind::unavailable, ErrorKind::rate_limited,
                            ErrorKind::protocol}) {
        scene.hub.trouble = kind;
        co_await ask_all_ways(scene, secret_repo, &of_secret);
        co_await ask_all_ways(scene, absent_repo, &of_absent);
        CHECK(of_secret == of_absent);
        CHECK(std::ranges::count(of_secret.back(), name(kind)) == 1);
    }
}

Awaitable<> becomes_private(Scene& scene) {
    CHECK_ASK(alice, alices, secret_repo, "ok");
    scene.hub.standings[secret_repo] = Standing::open;
    CHECK_ASK(bob, Token{}, secret_repo, "ok");
    CHECK(scene.doors[secret_repo] == everyone());
    scene.hub.standings.erase(secret_repo);
    scene.audit.take();
    // Within grant_ttl nobody asks; after it, whoever comes first finds out.
    CHECK_ASK(bob, Token{}, secret_repo, "ok");
    co_await scene.advance(9min);
    CHECK_ASK(alice, Token{}, secret_repo, "ok"); // her own proof is still young
    co_await scene.advance(1min);
    CHECK_ASK(alice, alices, secret_repo, "ok");
    CHECK_FALSE(scene.keeper().is_public(secret_repo));
    CHECK(scene.doors[secret_repo] == only({alice}));
    CHECK_ASK(bob, Token{}, secret_repo, "repo_not_found");
    CHECK(scene.audit.take() == Lines{"revoke 900 model org/secret ok",
                                      "grant 1001 model org/secret ok",
                                      "refuse 1002 model org/secret repo_not_found"});
}

Awaitable<> closed_at_once(Scene& scene) {
    CHECK_ASK(alice, Token{}, open_repo, "ok");
    scene.hub.standings.erase(open_repo);
    co_await scene.advance(10min);
    CHECK_ASK(bob, Token{}, open_repo, "repo_not_found");
    CHECK(scene.doors[open_repo] == only({}));
}

/// What the Hub refuses elsewhere is heard, long before anybody's time is over.
Awaitable<> doubted(Scene& scene) {
    CHECK_ASK(alice, Token{}, open_repo, "ok");
    CHECK_ASK(alice, alices, gated_repo, "ok");
    CHECK_ASK(bob, bobs, gated_repo, "ok");
    scene.hub.standings.erase(open_repo);
    scene.hub.readers[gated_repo].erase(std::string{bobs.reveal()});
    scene.keeper().doubt(alice, open_repo);
    scene.keeper().doubt(alice, gated_repo);
    scene.keeper().doubt(bob, gated_repo);
    co_await Scene::settle();
    CHECK(scene.doors[open_repo] == only({}));
    CHECK(scene.doors[gated_repo] == only({alice}));
    CHECK_FALSE(scene.keeper().admits(alice, open_repo));
    CHECK_FALSE(scene.keeper().admits(bob, gated_repo));
    CHECK(scene.keeper().admits(alice, gated_repo));
}

Awaitable<> revoked(Scene& scene) {
    CHECK_ASK(alice, alices, gated_repo, "ok");
    CHECK_ASK(bob, bobs, gated_repo, "ok");
    scene.hub.revoked.insert(std::string{alices.reveal()});
    scene.hub.readers[gated_repo].erase(std::string{bobs.reveal()});
    scene.options.renew_for = 0ms; // so that nothing happens before they ask
    scene.keeper().set_options(scene.options);
    co_await scene.advance(10min);
    scene.audit.take();
    CHECK_ASK(alice, alices, gated_repo, "unauthorized");
    CHECK_ASK(bob, bobs, gated_repo, "gated");
    CHECK(scene.doors[gated_repo] == only({}));
    CHECK(scene.audit.take() == Lines{"revoke 1001 model org/gated unauthorized",
                                      "refuse 1001 model org/gated unauthorized",
                                      "revoke 1002 model org/gated gated",
                                      "refuse 1002 model org/gated gated"});
    // A refusal also ends what would count while the Hub is away.
    scene.hub.trouble = ErrorKind::network;
    CHECK_ASK(alice, alices, gated_repo, "network");
}

Awaitable<> offline(Scene& scene) {
    scene.cached = {gated_repo, open_repo};
    scene.options.renew_for = 0ms;
    scene.keeper().set_options(scene.options);
    CHECK_ASK(alice, alices, gated_repo, "ok");
    CHECK_ASK(alice, Token{}, open_repo, "ok");
    scene.hub.trouble = ErrorKind::network;
    co_await scene.advance(11min);
    CHECK(scene.doors[gated_repo] == only({}));
    CHECK_ASK(alice, Token{}, gated_repo, "ok"); // the last proof counts, even without a token
    CHECK(scene.doors[gated_repo] == only({alice}));
    scene.hub.take_asked();
    CHECK_ASK(alice, Token{}, gated_repo, "ok"); // not asked at every call
    CHECK(scene.hub.take_asked().empty());
    co_await scene.advance(10min);
    CHECK(scene.doors[gated_repo] == only({})); // open for grant_ttl after such a use
    co_await scene.advance(23h + 38min);
    CHECK_ASK(alice, alices, gated_repo, "ok");
    CHECK(scene.doors[gated_repo] == only({alice}));
    co_await scene.advance(1min); // and not beyond the grace
    CHECK(scene.doors[gated_repo] == only({}));
    CHECK_ASK(alice, alices, gated_repo, "network");
    CHECK_ASK(bob, bobs, gated_repo, "network");

    co_await scene.advance(1'000h);
    CHECK_ASK(bob, Token{}, open_repo, "ok"); // public stays public
    CHECK(scene.doors[open_repo] == everyone());
}

Awaitable<> anonymous_limit(Scene& scene) {
    CHECK_ASK(alice, alices, open_repo, "ok");
    co_await scene.advance(10min);
    scene.hub.anonymous_is_limited = true;
    CHECK_ASK(alice, alices, gated_repo, "ok");
    CHECK(scene.doors[gated_repo] == only({alice}));
    CHECK_ASK(bob, Token{}, gated_repo, "rate_limited");
    CHECK_ASK(bob, Token{"hf_stranger"}, gated_repo, "gated");
    scene.hub.take_asked();
    CHECK_ASK(bob, bobs, open_repo, "ok"); // as far as is known
    CHECK(scene.hub.take_asked() == Lines{"standing org/open"});
    std::vector<Lines> of_secret;
    std::vector<Lines> of_absent;
    co_await ask_all_ways(scene, secret_repo, &of_secret);
    co_await ask_all_ways(scene, absent_repo, &of_absent);
    CHECK(of_secret == of_absent);
}

Awaitable<> shared_questions(Scene& scene) {
    scene.hub.held = true;
    for (int i = 0; i < 3; ++i) {
        scene.ask_later(alice, alices, gated_repo);
    }
    scene.ask_later(bob, bobs, gated_repo);
    co_await Scene::settle();
    CHECK(scene.hub.take_asked() == Lines{"standing org/gated"});
    scene.hub.let_go();
    co_await Scene::settle();
    CHECK(scene.outcomes == Lines{"ok", "ok", "ok", "ok"});
    CHECK(scene.hub.take_asked() == Lines{"check org/gated hf_alice", "check org/gated hf_bob"});
    CHECK(scene.audit.take() ==
          Lines{"grant 1001 model org/gated ok", "grant 1002 model org/gated ok"});
    CHECK(scene.doors[gated_repo] == only({alice, bob}));
}

/// One of two waiters gives up: the question goes on for the other.
Awaitable<> one_gives_up(Scene& scene) {
    scene.hub.held = true;
    async::TaskGroup first{co_await asio::this_coro::executor};
    first.spawn("first", scene.keeper().require(alice, alices, gated_repo));
    co_await Scene::settle();
    scene.ask_later(alice, alices, gated_repo);
    co_await Scene::settle();
    first.cancel();
    co_await first.join();
    CHECK(scene.outcomes.empty());
    scene.hub.let_go();
    co_await Scene::settle();
    CHECK(scene.outcomes == Lines{"ok"});
    CHECK(scene.hub.take_asked() == Lines{"standing org/gated", "check org/gated hf_alice"});
}

Awaitable<> doors_first(Scene& scene) {
    scene.doors_held = true;
    scene.ask_later(alice, alices, gated_repo);
    scene.ask_later(bob, Token{}, open_repo);
    co_await Scene::settle();
    CHECK(scene.outcomes.empty()); // the kernel does not let them in yet
    scene.let_doors_go();
    co_await Scene::settle();
    CHECK(scene.outcomes == Lines{"ok", "ok"});
    CHECK(scene.doors[gated_repo] == only({alice}));
}

Awaitable<> doors_fail(Scene& scene) {
    scene.doors_fail = true;
    CHECK_ASK(alice, Token{}, open_repo, "storage");
    scene.doors_fail = false;
    co_await scene.advance(10min);
    CHECK_ASK(alice, Token{}, open_repo, "ok");
    // A folder that cannot be closed changes nothing about the refusal, and is closed later.
    scene.doors_fail = true;
    scene.hub.standings.erase(open_repo);
    co_await scene.advance(10min);
    CHECK_ASK(alice, Token{}, open_repo, "repo_not_found");
    CHECK(scene.doors[open_repo] == everyone());
    scene.doors_fail = false;
    scene.hub.standings[open_repo] = Standing::gated;
    scene.hub.readers[open_repo] = {std::string{alices.reveal()}};
    CHECK_ASK(alice, alices, open_repo, "ok");
    CHECK(scene.doors[open_repo] == only({alice}));
}

Awaitable<> bounded(Scene& scene) {
    scene.hub.held = true;
    for (int i = 0; i < 64; ++i) {
        scene.ask_later(alice, alices, {RepoType::model, fmt::format("org/m{}", i)});
    }
    co_await Scene::settle();
    CHECK_ASK(alice, alices, gated_repo, "rate_limited");
    scene.ask_later(alice, alices, {RepoType::model, "org/m0"}); // joins
    scene.ask_later(bob, bobs, gated_repo);                      // another account
    co_await Scene::settle();
    CHECK(scene.outcomes.empty());
    scene.hub.let_go();
    co_await Scene::settle();
    CHECK(scene.outcomes.size() == 66);
    CHECK_ASK(alice, alices, gated_repo, "ok");
}

Awaitable<> the_owner(Scene& scene) {
    scene.hub.held = true;
    CHECK_ASK(owner, Token{}, open_repo, "ok"); // nothing keeps it waiting
    CHECK_ASK(owner, Token{}, open_repo, "ok");
    CHECK(scene.keeper().admits(owner, secret_repo));
    co_await Scene::settle();
    CHECK(scene.hub.take_asked() == Lines{"standing org/open", "standing org/secret"});
    scene.hub.let_go();
    co_await Scene::settle();
    CHECK(scene.doors[open_repo] == everyone());
    CHECK_FALSE(scene.doors.contains(secret_repo));
    CHECK_ASK(owner, Token{}, secret_repo, "ok"); // not asked again so soon
    co_await Scene::settle();
    CHECK(scene.hub.take_asked().empty());

    co_await scene.advance(10min);
    scene.hub.trouble = ErrorKind::network;
    CHECK_ASK(owner, Token{}, secret_repo, "ok");
    co_await Scene::settle();
    CHECK_ASK(owner, Token{}, secret_repo, "ok");
    co_await Scene::settle();
    CHECK(scene.hub.take_asked() == Lines{"standing org/secret"});
    co_await scene.advance(15s); // trouble: the next use tries again soon
    scene.hub.trouble.reset();
    scene.hub.standings[secret_repo] = Standing::open;
    CHECK_ASK(owner, Token{}, secret_repo, "ok");
    co_await Scene::settle();
    CHECK(scene.doors[secret_repo] == everyone());
    CHECK(scene.audit.take().empty());
}

Awaitable<> logout(Scene& scene) {
    scene.stored[alice] = alices;
    CHECK_ASK(alice, Token{}, gated_repo, "ok");
    scene.hub.readers[secret_repo].insert("hf_given");
    CHECK_ASK(alice, Token{"hf_given"}, secret_repo, "ok"); // another one, with the call
    CHECK_ASK(bob, bobs, gated_repo, "ok");
    scene.audit.take();
    scene.stored.erase(alice);
    scene.keeper().forget_account(alice);
    co_await Scene::settle();
    CHECK(scene.doors[gated_repo] == only({bob}));
    CHECK(scene.doors[secret_repo] == only({alice}));
    CHECK(scene.audit.take() == Lines{"revoke 1001 model org/gated ok"});
    CHECK_ASK(alice, Token{}, gated_repo, "gated");
    CHECK_ASK(alice, Token{}, secret_repo, "ok");
}

/// An answer that comes after the logout gives nothing.
Awaitable<> logout_while_asking(Scene& scene) {
    scene.stored[alice] = alices;
    scene.hub.held = true;
    scene.ask_later(alice, Token{}, gated_repo);
    co_await Scene::settle();
    scene.stored.erase(alice);
    scene.keeper().forget_account(alice);
    scene.hub.let_go();
    co_await Scene::settle();
    CHECK(scene.outcomes == Lines{"unauthorized"});
    CHECK_FALSE(scene.keeper().admits(alice, gated_repo));
    CHECK_FALSE(scene.doors.contains(gated_repo));
}

Awaitable<> stopping(Scene& scene) {
    scene.hub.held = true;
    scene.ask_later(alice, alices, gated_repo);
    co_await Scene::settle();
    co_await scene.keeper().stop();
    co_await Scene::settle();
    CHECK(scene.outcomes == Lines{"cancelled"});
}

} // namespace

TEST_CASE("a public repo is for all, asked about once in grant_ttl, and no token is shown") {
    play(public_repo);
}
TEST_CASE("without a token, one is told what the Hub would say, and how to log in") {
    play(no_token);
}
TEST_CASE("what is not public takes each account's own proof") {
    play(own_proofs);
}
TEST_CASE("a refusal met elsewhere makes it look again at once") {
    play(doubted);
}

TEST_CASE("a stored token proves for its account only") {
    play(stored_tokens);
}

TEST_CASE("who shows no token proves nothing, whatever he has stored") {
    play(none_by_choice);
}
TEST_CASE("a repo that others read and one that does not exist cannot be told apart") {
    play(nothing_tells);
}
TEST_CASE("a public repo that became private is closed to all but live grants") {
    play(becomes_private);
}
TEST_CASE("a public repo that became private is closed when somebody without a token asks") {
    play(closed_at_once);
}
TEST_CASE("a refusal ends the grant, closes the folder and is taken down") {
    play(revoked);
}
TEST_CASE(
    "while the Hub is away, proofs count until the grace is over, and public repos are open") {
    play(offline);
}
TEST_CASE("who uses up the quota of those without a token does not lock out those with one") {
    play(anonymous_limit);
}
TEST_CASE(
    "who wants to know the same at the same time shares the question, tokens are not shared") {
    play(shared_questions);
}
TEST_CASE("who gives up waiting leaves the question to the others") {
    play(one_gives_up);
}
TEST_CASE("the folder is open before the call goes on") {
    play(doors_first);
}
TEST_CASE("a folder that cannot be opened is an error, one that cannot be closed is tried again") {
    play(doors_fail);
}
TEST_CASE("an account has so many questions on their way and no more") {
    play(bounded);
}
TEST_CASE("the daemon's own account waits for nothing, and opens public repos for others") {
    play(the_owner);
}
TEST_CASE("a logout ends the grants that the stored token proved") {
    play(logout);
}
TEST_CASE("a logout while the Hub is asked leaves no grant behind") {
    play(logout_while_asking);
}
TEST_CASE("who waits when the daemon stops is told so") {
    play(stopping);
}
