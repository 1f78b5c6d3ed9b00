#include "daemon/transfer/lookups.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "base/scope_exit.hpp"
#include "daemon/hub/hub_error.hpp"

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

} // namespace

Lookups::Lookups(LookupContext context, LookupOptions options)
    : store_{context.store}, options_{options},
      asking_{context.executor, context.transport, std::move(context.endpoint), context.gate},
      tasks_{context.executor} {}

Awaitable<> Lookups::stop() {
    tasks_.cancel();
    co_await tasks_.join();
}

template <typename Answer>
Awaitable<> Lookups::ask(QuestionPtr<Answer> question, Way way, Clock::time_point not_before) {
    const ScopeExit over{[&question] { settle(*question); }};
    const auto early = not_before - Clock::now();
    if (early > Clock::duration::zero()) {
        co_await async::sleep_for(early);
    }
    try {
        co_await asking_.ask(std::move(way));
    } catch (const Error& error) { // for those who wait
        question->failure = error;
    }
}

Awaitable<Resolved> Lookups::commit_of(hub::RepoId repo, std::string revision, hub::Token token,
                                       std::shared_ptr<scheduling::WaitNote> note) {
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
    if (const auto away = known ? asking_.away() : std::nullopt) {
        co_return Resolved{
            .commit = *known, .stale = true, .why = away->message(), .recorded = true};
    }
    if (!line.question || line.question->is_out) {
        line.question = std::make_shared<Question<std::string>>();
        tasks_.spawn("commit of " + repo.name,
                     ask_revision(key, line.question, repo, revision, token, known.has_value()));
    }
    const QuestionPtr<std::string> question = line.question;
    std::string why;
    try {
        std::string commit = co_await answer_to(question, note);
        const bool recorded = known == commit;
        co_return Resolved{
            .commit = std::move(commit), .stale = false, .why = {}, .recorded = recorded};
    } catch (const Error& error) {
        if (!known || !hub::hub_is_away(error)) {
            throw;
        }
        why = error.message();
    }
    log::warning("transfer", "serving the last known {} of {}: {}", revision, repo.name, why);
    co_return Resolved{.commit = *known, .stale = true, .why = std::move(why), .recorded = true};
}

Awaitable<> Lookups::ask_revision(std::string key, QuestionPtr<std::string> question,
                                  hub::RepoId repo, std::string revision, hub::Token token,
                                  bool has_fallback) {
    const ScopeExit over{[this, &key, &question] { note_outcome(key, question); }};
    Way way;
    way.policy = options_.retry;
    if (has_fallback) {
        way.policy.max_failures = tries_with_fallback;
        way.policy.longest_asked = longest_wait_with_fallback;
    }
    way.token = token;
    way.note = question->note;
    way.sending = [this, key, question] {
        question->is_out = true; // who comes from now on wants a later answer
        lines_[key].last_sent = Clock::now();
    };
    way.failed = [question] { question->is_out = false; };
    way.fetch = [question, repo, revision, token](hub::HubClient& hub) {
        return fetch_commit(hub, question, repo, revision, token);
    };
    const auto not_before = lines_[key].last_sent + options_.pace;
    co_await ask(question, std::move(way), not_before);
}

Awaitable<> Lookups::fetch_commit(hub::HubClient& hub, QuestionPtr<std::string> question,
                                  hub::RepoId repo, std::string revision, hub::Token token) {
    question->answer = co_await hub.commit_of(repo, revision, token);
}

/// Requires: called when the question is over.
void Lookups::note_outcome(const std::string& key, const QuestionPtr<std::string>& question) {
    auto& line = lines_[key];
    if (line.question == question) {
        line.question.reset();
    }
    if (question->answer) {
        line.last_commit = *question->answer;
        line.last_answer = Clock::now();
    }
}

Awaitable<hub::TreePtr> Lookups::tree(hub::RepoId repo, std::string commit, hub::Token token,
                                      std::shared_ptr<scheduling::WaitNote> note) {
    hub::TreePtr held = co_await store_.tree(repo, commit);
    if (held) {
        co_return held;
    }
    const std::string key = key_of(repo, commit, token);
    auto& asked = trees_[key];
    if (!asked) {
        asked = std::make_shared<Question<hub::TreePtr>>();
        tasks_.spawn("files of " + repo.name, ask_tree(key, asked, repo, commit, token));
    }
    const QuestionPtr<hub::TreePtr> question = asked;
    hub::TreePtr listed = co_await answer_to(question, note);
    co_return listed;
}

Awaitable<> Lookups::ask_tree(std::string key, QuestionPtr<hub::TreePtr> question, hub::RepoId repo,
                              std::string commit, hub::Token token) {
    const ScopeExit over{[this, &key] { trees_.erase(key); }};
    Way way;
    way.policy = options_.retry;
    way.token = token;
    way.note = question->note;
    way.fetch = [this, question, repo, commit, token](hub::HubClient& hub) {
        return fetch_tree(hub, question, repo, commit, token);
    };
    co_await ask(question, std::move(way), {});
}

Awaitable<> Lookups::fetch_tree(hub::HubClient& hub, QuestionPtr<hub::TreePtr> question,
                                hub::RepoId repo, std::string commit, hub::Token token) {
    hub::TreePtr tree = co_await hub.list_tree(repo, commit, token);
    co_await store_.save_tree(repo, commit, tree);
    question->answer = std::move(tree);
}

void Lookups::forget_old_lines() {
    if (lines_.size() < most_lines) {
        return;
    }
    const auto oldest = Clock::now() - line_memory;
    std::erase_if(lines_, [oldest](const auto& entry) {
        return !entry.second.question && entry.second.last_sent < oldest;
    });
}

} // namespace wharf::transfer
