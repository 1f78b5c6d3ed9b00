#include "daemon/transfer/lookups.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"

#include <fmt/format.h>

namespace wharf::transfer {

namespace {

/// With a last known answer at hand, one more try is enough: a broken kept connection heals, an
/// outage does not.
constexpr unsigned tries_with_fallback = 2;

/// A Hub that asks to wait longer than this is not waited for when we have a last known answer.
constexpr std::chrono::seconds longest_wait_with_fallback{15};

/// Above this many remembered questions, old ones are forgotten.
constexpr std::size_t most_lines = 10'000;
constexpr std::chrono::minutes line_memory{10};

std::string key_of(const hub::RepoId& repo, const std::string& what, const hub::Token& token) {
    return fmt::format("{} {} {} {}", name(repo.type), repo.name, what,
                       token.empty() ? "" : sha256_hex(token.reveal()));
}

/// The Hub could not be asked, which says nothing about the repo.
bool hub_is_away(const Error& error) noexcept {
    return error.kind() == ErrorKind::network || error.kind() == ErrorKind::unavailable ||
           error.kind() == ErrorKind::rate_limited || error.kind() == ErrorKind::protocol;
}

} // namespace

Lookups::Lookups(Executor executor, hub::HubClient& hub, store::Store& store, RateGate& gate,
                 LookupOptions options)
    : executor_{executor}, hub_{hub}, store_{store}, gate_{gate}, options_{options},
      tasks_{executor} {}

Awaitable<> Lookups::stop() {
    tasks_.cancel();
    co_await tasks_.join();
}

template <typename Answer>
Awaitable<Answer> Lookups::wait_for(std::shared_ptr<Question<Answer>> question,
                                    std::shared_ptr<WaitNote> note) {
    const ScopeExit quiet{[note] { note->reason.clear(); }};
    while (!question->answer && !question->failure) {
        note->reason = question->note->reason;
        co_await question->answered.wait_for(std::chrono::milliseconds{200});
    }
    if (question->failure) {
        std::rethrow_exception(question->failure);
    }
    co_return *question->answer;
}

Awaitable<Resolved> Lookups::commit_of(hub::RepoId repo, std::string revision, hub::Token token,
                                       std::shared_ptr<WaitNote> note) {
    if (is_commit_id(revision)) {
        co_return Resolved{.commit = revision, .stale = false, .why = {}, .recorded = true};
    }
    const auto known = co_await store_.known_commit(repo, revision);
    const auto now = Clock::now();
    const std::string key = key_of(repo, revision, token);
    forget_old_lines();
    auto& line = lines_[key];
    if (!line.last_commit.empty() && now - line.last_answer < options_.revision_ttl) {
        co_return Resolved{.commit = line.last_commit,
                           .stale = false,
                           .why = {},
                           .recorded = known == line.last_commit};
    }
    if (known && now < offline_until_) {
        co_return Resolved{.commit = *known, .stale = true, .why = offline_why_, .recorded = true};
    }
    if (!line.unsent) {
        line.unsent = std::make_shared<Question<std::string>>();
        tasks_.spawn("commit of " + repo.name,
                     ask_revision(key, line.unsent, repo, revision, token, known.has_value()));
    }
    const RevisionQuestion question = line.unsent;
    std::string why;
    try {
        std::string commit = co_await wait_for(question, note);
        const bool recorded = known == commit;
        co_return Resolved{
            .commit = std::move(commit), .stale = false, .why = {}, .recorded = recorded};
    } catch (const Error& error) {
        if (!known || !hub_is_away(error)) {
            throw;
        }
        why = error.message();
    }
    log::warning("transfer", "serving the last known {} of {}: {}", revision, repo.name, why);
    co_return Resolved{.commit = *known, .stale = true, .why = std::move(why), .recorded = true};
}

Awaitable<> Lookups::ask_revision(std::string key, RevisionQuestion question, hub::RepoId repo,
                                  std::string revision, hub::Token token, bool has_fallback) {
    // Whatever ends this, nobody may wait for ever, or join a question that is over.
    const ScopeExit over{[this, &key, &question] {
        if (const auto line = lines_.find(key);
            line != lines_.end() && line->second.unsent == question) {
            line->second.unsent.reset();
        }
        if (!question->answer && !question->failure) {
            question->failure =
                std::make_exception_ptr(Error{ErrorKind::cancelled, "the daemon is shutting down"});
        }
        question->answered.notify_all();
    }};
    auto policy = options_.retry;
    if (has_fallback) {
        policy.max_failures = tries_with_fallback;
        policy.longest_asked = longest_wait_with_fallback;
    }
    Retry retry{policy, std::hash<std::string>{}(key)};
    const auto pace_left = lines_[key].last_sent + options_.pace - Clock::now();
    if (pace_left > Clock::duration::zero()) {
        co_await async::sleep_for(pace_left);
    }
    while (!question->answer && !question->failure) {
        std::optional<Error> failed;
        try {
            co_await gate_.pass(hub_.endpoint().authority(), token, question->note,
                                policy.longest_asked);
            auto& line = lines_[key];
            if (line.unsent == question) {
                line.unsent.reset(); // who comes from now on wants a later answer
            }
            line.last_sent = Clock::now();
            question->answer = co_await hub_.commit_of(repo, revision, token);
            lines_[key].last_commit = *question->answer;
            lines_[key].last_answer = Clock::now();
            offline_until_ = {};
        } catch (const Error& error) {
            failed = error;
        }
        if (failed) {
            if (!lines_[key].unsent) {
                lines_[key].unsent = question; // it will be asked again: others may join
            }
            try {
                co_await wait_before_retry(retry, *failed, token, question->note);
            } catch (const Error& error) {
                question->failure = std::current_exception();
                if (error.kind() == ErrorKind::network) {
                    offline_until_ = Clock::now() + options_.stay_offline;
                    offline_why_ = error.message();
                }
            }
        }
    }
}

Awaitable<> Lookups::wait_before_retry(Retry& retry, Error error, hub::Token token,
                                       std::shared_ptr<WaitNote> note) {
    gate_.learn(hub_.endpoint().authority(), token, error);
    const auto delay = retry.next(error);
    if (!delay) {
        throw error;
    }
    log::warning("transfer", "{}; trying again in {} ms", error.message(), delay->count());
    note->reason = fmt::format("{}; trying again", error.message());
    const ScopeExit quiet{[note] { note->reason.clear(); }};
    co_await async::sleep_for(*delay);
}

Awaitable<hub::TreePtr> Lookups::tree(hub::RepoId repo, std::string commit, hub::Token token,
                                      std::shared_ptr<WaitNote> note) {
    hub::TreePtr held = co_await store_.tree(repo, commit);
    if (held) {
        co_return held;
    }
    const std::string key = key_of(repo, commit, token);
    TreeQuestion& asked = trees_[key];
    if (!asked) {
        asked = std::make_shared<Question<hub::TreePtr>>();
        tasks_.spawn("files of " + repo.name, ask_tree(key, asked, repo, commit, token));
    }
    const TreeQuestion question = asked;
    hub::TreePtr listed = co_await wait_for(question, note);
    co_return listed;
}

Awaitable<> Lookups::ask_tree(std::string key, TreeQuestion question, hub::RepoId repo,
                              std::string commit, hub::Token token) {
    const ScopeExit over{[this, &key, &question] {
        trees_.erase(key);
        if (!question->answer && !question->failure) {
            question->failure =
                std::make_exception_ptr(Error{ErrorKind::cancelled, "the daemon is shutting down"});
        }
        question->answered.notify_all();
    }};
    Retry retry{options_.retry, std::hash<std::string>{}(key)};
    while (!question->answer && !question->failure) {
        std::optional<Error> failed;
        try {
            co_await gate_.pass(hub_.endpoint().authority(), token, question->note,
                                options_.retry.longest_asked);
            hub::TreePtr tree = co_await hub_.list_tree(repo, commit, token);
            co_await store_.save_tree(repo, commit, tree);
            question->answer = std::move(tree);
        } catch (const Error& error) {
            failed = error;
        }
        if (failed) {
            try {
                co_await wait_before_retry(retry, *failed, token, question->note);
            } catch (const Error&) {
                question->failure = std::current_exception();
            }
        }
    }
}

void Lookups::forget_old_lines() {
    if (lines_.size() < most_lines) {
        return;
    }
    const auto oldest = Clock::now() - line_memory;
    std::erase_if(lines_, [oldest](const auto& entry) {
        return !entry.second.unsent && entry.second.last_sent < oldest;
    });
}

} // namespace wharf::transfer
