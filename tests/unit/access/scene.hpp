#pragma once

#include "daemon/access/gatekeeper.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "tests/support/run_coroutine.hpp"
#include "tests/support/temp_dir.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace wharf::access::test {

using hub::RepoId;
using hub::RepoType;
using hub::Token;
using store::Readers;

inline const RepoId open_repo{RepoType::model, "org/open"};
inline const RepoId gated_repo{RepoType::model, "org/gated"};
inline const RepoId secret_repo{RepoType::model, "org/secret"};
inline const RepoId absent_repo{RepoType::model, "org/absent"};

constexpr uid_t owner = 900;
constexpr uid_t alice = 1001;
constexpr uid_t bob = 1002;

inline const Token alices{"hf_alice"};
inline const Token bobs{"hf_bob"};

inline Readers everyone() {
    return {.everyone = true, .uids = {}};
}
inline Readers only(std::set<uid_t> uids) {
    return {.everyone = false, .uids = std::move(uids)};
}

/// A Hub that keeps a list of what it was asked.
class FakeInquiry final : public Inquiry {
  public:
    FakeInquiry() {
        standings = {{open_repo, Standing::open}, {gated_repo, Standing::gated}};
        readers[gated_repo] = {std::string{alices.reveal()}, std::string{bobs.reveal()}};
        readers[secret_repo] = {std::string{alices.reveal()}, std::string{bobs.reveal()}};
    }

    Awaitable<Standing> standing(RepoId repo) override {
        asked.push_back("standing " + repo.name);
        co_await answer();
        if (anonymous_is_limited) {
            throw Error{ErrorKind::rate_limited, "too many questions without a token"};
        }
        const auto found = standings.find(repo);
        co_return found == standings.end() ? Standing::hidden : found->second;
    }

    Awaitable<> check(RepoId repo, Token token) override {
        asked.push_back("check " + repo.name + " " + std::string{token.reveal()});
        while (!slow.empty() && token == slow) {
            co_await released.wait();
        }
        co_await answer();
        if (revoked.contains(token.reveal())) {
            throw Error{ErrorKind::unauthorized, "the Hub does not accept the token"};
        }
        if (!readers[repo].contains(token.reveal())) {
            throw Error{standings.contains(repo) ? ErrorKind::gated : ErrorKind::repo_not_found,
                        "refused"};
        }
    }

    std::vector<std::string> take_asked() { return std::exchange(asked, {}); }
    void let_go() {
        held = false;
        slow = {};
        released.notify_all();
    }

    std::map<RepoId, Standing> standings; ///< what is not here is hidden
    std::map<RepoId, std::set<std::string, std::less<>>> readers;
    std::set<std::string, std::less<>> revoked;
    std::optional<ErrorKind> trouble;
    bool anonymous_is_limited = false;
    bool held = false; ///< answers wait for let_go()
    Token slow = {};   ///< so do answers about this token
    std::vector<std::string> asked;

  private:
    Awaitable<> answer() {
        while (held) {
            co_await released.wait();
        }
        if (trouble) {
            throw Error{*trouble, "the Hub cannot be asked"};
        }
    }
    async::Event released;
};

struct FakeAudit final : Audit {
    void record(const AuditEvent& event) noexcept override { events.push_back(event); }

    /// "grant 1001 model org/gated ok", and so on; forgets them.
    std::vector<std::string> take() {
        std::vector<std::string> lines;
        for (const auto& event : std::exchange(events, {})) {
            CHECK(event.restricted);
            lines.push_back(fmt::format("{} {} {} {}", words.at(event.action), event.uid,
                                        event.repo, event.result));
        }
        return lines;
    }

    std::map<AuditEvent::Action, std::string> words{{AuditEvent::Action::grant, "grant"},
                                                    {AuditEvent::Action::refuse, "refuse"},
                                                    {AuditEvent::Action::revoke, "revoke"}};
    std::vector<AuditEvent> events;
};

/// A gatekeeper among fakes, with a clock that stands still. Control thread: the test's.
class Scene {
  public:
    explicit Scene(Executor executor) : executor_{std::move(executor)}, askers_{executor_} {
        now_.boot = BootClock::time_point{std::chrono::hours{1'000}};
        now_.wall = WallTime{std::chrono::hours{500'000}};
        start();
    }

    void start() {
        keeper_ = std::make_unique<Gatekeeper>(
            GatekeeperContext{
                .executor = executor_,
                .inquiry = hub,
                .audit = audit,
                .database = dir_ / "access.db",
                .owner = owner,
                .set_readers = [this](RepoId repo,
                                      Readers who) { return set_readers(std::move(repo), who); },
                .stored_token = [this](uid_t uid) { return stored[uid]; },
                .cached_repos = [this] { return cached_repos(); },
                .now = [this] { return now_; }},
            options);
        keeper_->start();
    }

    Gatekeeper& keeper() { return *keeper_; }

    /// "ok", or the kind of the Error.
    /// An account that shows no token shows its stored one, as the service has it.
    Awaitable<std::string> ask(uid_t uid, Token token, RepoId repo) {
        if (const auto own = stored.find(uid); token.empty() && own != stored.end()) {
            token = own->second;
        }
        std::string outcome = "ok";
        try {
            co_await keeper_->require(uid, std::move(token), std::move(repo));
        } catch (const Error& error) {
            failure = error;
            outcome = name(error.kind());
        }
        co_return outcome;
    }

    /// The same in the background; the outcome is in `outcomes` when it is over.
    void ask_later(uid_t uid, Token token, RepoId repo) {
        askers_.spawn("asker", keep_outcome(uid, std::move(token), std::move(repo)));
    }

    /// Lets everything happen that needs no time.
    static Awaitable<> settle() {
        const Executor executor = co_await asio::this_coro::executor;
        for (int i = 0; i < 200; ++i) {
            co_await asio::post(executor, asio::use_awaitable);
        }
    }

    Awaitable<> advance(std::chrono::milliseconds time) {
        now_.boot += time;
        now_.wall += time;
        keeper_->wake();
        co_await settle();
    }
    void set_wall_clock(std::chrono::milliseconds by) { now_.wall += by; }

    /// Ends the daemon and starts it again after `away`.
    Awaitable<> restart(std::chrono::milliseconds away) {
        co_await keeper_->stop();
        keeper_.reset();
        now_.boot += away;
        now_.wall += away;
        start();
        co_await settle();
    }

    Awaitable<> stop() {
        hub.let_go();
        let_doors_go();
        co_await keeper_->stop();
        co_await askers_.join();
    }

    void let_doors_go() {
        doors_held = false;
        doors_released_.notify_all();
    }

    const std::filesystem::path database() const { return dir_ / "access.db"; }

    GatekeeperOptions options;
    FakeInquiry hub;
    FakeAudit audit;
    std::map<uid_t, Token> stored;
    std::map<RepoId, Readers> doors; ///< what the kernel enforces
    std::vector<RepoId> cached;
    std::size_t doors_set = 0;
    bool doors_held = false;
    bool doors_fail = false;
    std::vector<std::string> outcomes;
    std::optional<Error> failure; ///< the last

  private:
    Awaitable<> set_readers(RepoId repo, Readers who) {
        while (doors_held) {
            co_await doors_released_.wait();
        }
        if (doors_fail) {
            throw Error{ErrorKind::storage, "no such luck"};
        }
        ++doors_set;
        doors[repo] = who;
    }
    Awaitable<std::vector<RepoId>> cached_repos() { co_return cached; }
    Awaitable<> keep_outcome(uid_t uid, Token token, RepoId repo) {
        std::string outcome = co_await ask(uid, std::move(token), std::move(repo));
        outcomes.push_back(std::move(outcome));
    }

    wharf::test::TempDir dir_;
    Executor executor_;
    Moment now_;
    async::Event doors_released_;
    std::unique_ptr<Gatekeeper> keeper_;
    async::TaskGroup askers_;
};

using Body = Awaitable<> (*)(Scene&);

inline Awaitable<> with_scene(Body body) {
    Scene scene{co_await asio::this_coro::executor};
    co_await body(scene);
    co_await scene.stop();
}

/// Runs a test among fakes.
inline void play(Body body) {
    wharf::test::run(with_scene(body));
}

} // namespace wharf::access::test
