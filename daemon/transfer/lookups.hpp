#pragma once

#include "daemon/async/task_group.hpp"
#include "daemon/store/store.hpp"
#include "daemon/transfer/asking.hpp"
#include "daemon/transfer/question.hpp"

#include <chrono>
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
    scheduling::RetryPolicy retry;
};

/// What a revision is.
struct Resolved {
    std::string commit;
    bool stale = false; ///< the Hub could not be asked; this is the last known answer
    std::string why;    ///< a sentence, when stale
    /// The cache needs no ref for it: it is a commit's id, or the ref says so already.
    bool recorded = false;
};

/// What questions need of the rest of the daemon.
struct LookupContext {
    Executor executor;         ///< the control thread's
    hub::Transport& transport; ///< belongs to that thread, and tells the gate of every answer
    net::Url endpoint;
    store::Store& store;
    scheduling::RateGate& gate;
};

/// The questions about repos that all jobs of the box share: asked once however many wait for the
/// answer, at a bounded pace and within the Hub's quota, tried again when that may help. Those who
/// come with another token ask for themselves. What was asked before is answered without a proof
/// that this asker may know it: he must have been admitted to the repo. Control thread.
class Lookups {
  public:
    /// Requires: everything referred to outlives this.
    Lookups(LookupContext context, LookupOptions options);

    /// The commit that a revision names. When the Hub cannot be reached: the last known one, else
    /// a network Error. A revision that is a commit's id is taken at its word. Requires: who asks
    /// may read the repo (access::Gatekeeper::require).
    Awaitable<Resolved> commit_of(hub::RepoId repo, std::string revision, hub::Token token,
                                  std::shared_ptr<scheduling::WaitNote> note);

    /// All files of a commit: from the store, else from the Hub and then kept in the store.
    /// Requires: as commit_of().
    Awaitable<hub::TreePtr> tree(hub::RepoId repo, std::string commit, hub::Token token,
                                 std::shared_ptr<scheduling::WaitNote> note);

    /// Cancels the questions on their way and waits until they have ended.
    Awaitable<> stop();

    void set_options(LookupOptions options) { options_ = options; }

    /// For questions of other kinds: what one learns about the Hub's state all know.
    Asking& asking() noexcept { return asking_; }

  private:
    using Clock = std::chrono::steady_clock;

    /// What we know about one (repo, revision, token).
    struct Line {
        Clock::time_point last_sent{};
        QuestionPtr<std::string> question; ///< the latest; others may join it until it is out
        std::string last_commit;
        Clock::time_point last_answer{};
    };

    template <typename Answer>
    Awaitable<> ask(QuestionPtr<Answer> question, Way way, Clock::time_point not_before);
    Awaitable<> ask_revision(std::string key, QuestionPtr<std::string> question, hub::RepoId repo,
                             std::string revision, hub::Token token, bool has_fallback);
    Awaitable<> ask_tree(std::string key, QuestionPtr<hub::TreePtr> question, hub::RepoId repo,
                         std::string commit, hub::Token token);
    static Awaitable<> fetch_commit(hub::HubClient& hub, QuestionPtr<std::string> question,
                                    hub::RepoId repo, std::string revision, hub::Token token);
    Awaitable<> fetch_tree(hub::HubClient& hub, QuestionPtr<hub::TreePtr> question,
                           hub::RepoId repo, std::string commit, hub::Token token);
    void note_outcome(const std::string& key, const QuestionPtr<std::string>& question);
    void forget_old_lines();

    store::Store& store_;
    LookupOptions options_;
    Asking asking_;
    async::TaskGroup tasks_;
    std::map<std::string, Line> lines_;
    std::map<std::string, QuestionPtr<hub::TreePtr>> trees_; ///< until they are over
};

} // namespace wharf::transfer
