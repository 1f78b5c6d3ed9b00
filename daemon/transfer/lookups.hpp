#pragma once

#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/store/store.hpp"
#include "daemon/transfer/rate_gate.hpp"
#include "daemon/transfer/retry.hpp"

#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace wharf::transfer {

struct LookupOptions {
    /// How long a branch's commit is taken from memory without asking the Hub.
    std::chrono::milliseconds revision_ttl{0};
    /// The least time between two questions for the same branch: those who ask in between share
    /// the next one. Whoever asks gets an answer that was asked for after he did.
    std::chrono::milliseconds pace{250};
    /// After the Hub could not be reached: how long last known answers serve without trying again.
    std::chrono::seconds stay_offline{10};
    RetryPolicy retry;
};

/// What a revision is.
struct Resolved {
    std::string commit;
    bool stale = false; ///< the Hub could not be asked; this is the last known answer
    std::string why;    ///< a sentence, when stale
    /// The cache needs no ref for it: it is a commit's id, or the ref says so already.
    bool recorded = false;
};

/// The questions about repos that all jobs of the box share: asked once however many wait for the
/// answer, at a bounded pace, tried again when that may help. Control thread.
class Lookups {
  public:
    /// Requires: everything referred to outlives this; `hub` belongs to `executor`'s thread.
    Lookups(Executor executor, hub::HubClient& hub, store::Store& store, RateGate& gate,
            LookupOptions options);

    /// The commit that a revision names. When the Hub cannot be reached: the last known one, else
    /// a network Error. A revision that is a commit's id is taken at its word.
    Awaitable<Resolved> commit_of(hub::RepoId repo, std::string revision, hub::Token token,
                                  std::shared_ptr<WaitNote> note);

    /// All files of a commit: from the store, else from the Hub and then kept in the store.
    Awaitable<hub::TreePtr> tree(hub::RepoId repo, std::string commit, hub::Token token,
                                 std::shared_ptr<WaitNote> note);

    /// Cancels the questions on their way and waits until they have ended.
    Awaitable<> stop();

    void set_options(LookupOptions options) { options_ = options; }

  private:
    using Clock = std::chrono::steady_clock;

    /// One question that any number of coroutines wait for.
    template <typename Answer>
    struct Question {
        std::optional<Answer> answer;
        std::exception_ptr failure;
        async::Event answered;
        std::shared_ptr<WaitNote> note = std::make_shared<WaitNote>(); ///< the asking one's
    };
    using RevisionQuestion = std::shared_ptr<Question<std::string>>;
    using TreeQuestion = std::shared_ptr<Question<hub::TreePtr>>;

    /// What we know about one (repo, revision, token).
    struct Line {
        Clock::time_point last_sent{};
        RevisionQuestion unsent; ///< late comers may still join it
        std::string last_commit;
        Clock::time_point last_answer{};
    };

    template <typename Answer>
    static Awaitable<Answer> wait_for(std::shared_ptr<Question<Answer>> question,
                                      std::shared_ptr<WaitNote> note);
    Awaitable<> ask_revision(std::string key, RevisionQuestion question, hub::RepoId repo,
                             std::string revision, hub::Token token, bool has_fallback);
    Awaitable<> ask_tree(std::string key, TreeQuestion question, hub::RepoId repo,
                         std::string commit, hub::Token token);
    Awaitable<> wait_before_retry(Retry& retry, Error error, hub::Token token,
                                  std::shared_ptr<WaitNote> note);
    void forget_old_lines();

    Executor executor_;
    hub::HubClient& hub_;
    store::Store& store_;
    RateGate& gate_;
    LookupOptions options_;
    async::TaskGroup tasks_;
    std::map<std::string, Line> lines_;
    std::map<std::string, TreeQuestion> trees_;
    Clock::time_point offline_until_{};
    std::string offline_why_;
};

} // namespace wharf::transfer
