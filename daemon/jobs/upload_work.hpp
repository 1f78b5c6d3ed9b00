#pragma once

#include "base/unique_fd.hpp"
#include "daemon/access/audit.hpp"
#include "daemon/access/gate.hpp"
#include "daemon/access/quota.hpp"
#include "daemon/hub/commit_lines.hpp"
#include "daemon/jobs/push_plan.hpp"
#include "daemon/jobs/turns.hpp"
#include "daemon/jobs/upload_store.hpp"
#include "daemon/jobs/work.hpp"
#include "daemon/store/staged_files.hpp"
#include "daemon/store/store.hpp"
#include "daemon/transfer/lookups.hpp"
#include "daemon/transfer/object_uploads.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::jobs {

/// What pushing needs from the rest of the daemon.
struct UploadContext {
    Executor executor;  ///< the control thread's
    access::Gate& gate; ///< asked before anything of a repo is told
    access::Audit& audit;
    access::Quotas& quotas;
    store::Store& store;
    store::StagedFiles& staged;
    transfer::Lookups& lookups;
    transfer::ObjectUploads& objects;
    UploadStore& uploads;
    async::BlockingPool& pool; ///< for hashing
    MakeWork fetch;            ///< a download's work: files that are copied are brought by it
    std::size_t files_at_once = 8;
};

/// A push of more changes is a large one. While it runs a change takes some 600 bytes of memory, so
/// of large ones only one of each class runs at a time.
inline constexpr std::size_t large_push = 4'000;

/// Finds a caller's file by upload and number of the change; null when he has gone.
using FindAttached =
    std::function<const store::AttachedFile*(std::uint64_t upload, std::int64_t number)>;

/// Brings one push to the Hub: asks how it wants each file, hashes them, sends what it lacks, and
/// commits; a large push in a series of commits. What is done is taken down as it is done, so that
/// a run after a crash goes on where the one before was.
///
/// A commit is made exactly once: it is only valid on top of the head that we saw, and it is taken
/// down before it is sent. When no answer came, the branch tells: what follows on that head is
/// either our commit, or somebody else's, and then ours can never arrive any more.
class UploadWork final : public Work {
  public:
    /// Requires: all of them outlive this.
    UploadWork(const UploadContext& context, const FindAttached& attached, Turns& large_pushes,
               JobRecord& record);

    Awaitable<> run(std::function<void()> changed) override;
    Awaitable<bool> has_room() override;
    Progress progress() const override;
    std::uint64_t gained() const noexcept override;
    bool is_held_up() const override;
    void priority_changed() override; // the next connection is asked for with the new one

  private:
    using Batch = std::vector<std::size_t>; ///< places in the list of changes

    /// A file on its way to the Hub.
    struct InAir {
        const PushChange* change;
        std::shared_ptr<std::atomic<std::uint64_t>> sent;
        std::shared_ptr<scheduling::WaitNote> note;
        std::uint64_t before; ///< bytes that an earlier run had sent

        std::uint64_t gained() const noexcept;
    };

    // One batch after the other (upload_work.cpp).
    Awaitable<std::optional<Turns::Turn>> turn_of_large();
    Awaitable<> push_batch();
    Awaitable<> save(std::vector<PushChange> changes);
    bool has_left() const;
    void count();

    // The branch, and what is asked of the Hub (upload_branch.cpp).
    hub::CommitTarget target() const;
    bool to_pull_request() const noexcept { return order_.create_pr; }
    transfer::Way way() const;
    Awaitable<> ask(std::function<Awaitable<>(hub::UploadClient&)> question,
                    unsigned most_failures = scheduling::RetryPolicy{}.max_failures);
    Awaitable<std::string> head();
    Awaitable<> create_missing(Error error);
    Awaitable<> check_readme();

    // Copies (upload_copies.cpp).
    Awaitable<> resolve_copies(std::string base);
    Awaitable<> copy_within(PushChange* change, std::string base);
    Awaitable<> copy_content(PushChange* change);

    // The content of files (upload_content.cpp).
    class Reader;
    class PartsRecord;
    Awaitable<std::shared_ptr<const UniqueFd>> open(const PushChange* change);
    void require_unchanged(const PushChange& change) const;
    Awaitable<std::string> read_start(const PushChange* change, std::size_t most);
    Awaitable<std::vector<std::string>> read_samples(Batch some);
    Awaitable<> ask_verdicts(Batch batch);
    Awaitable<> ask_some_verdicts(Batch some);
    void note_overwriting(const PushChange& change, const hub::Verdict& now);
    Awaitable<> bring_contents(const Batch* batch);
    Awaitable<> bring(PushChange* change);
    Awaitable<> hash(PushChange* change, std::shared_ptr<const UniqueFd> file);
    Awaitable<> send(PushChange* change, std::shared_ptr<const UniqueFd> file);

    // Commits (upload_commits.cpp).
    Awaitable<> commit_batch(Batch batch, std::string base);
    std::vector<PushChange> copies_of(const Batch& batch) const;
    Awaitable<> nothing_to_commit(Batch batch);
    Awaitable<> take_down_commit(Batch batch, std::string base);
    Awaitable<std::vector<hub::CommitLine>> lines_of(Batch batch, std::string base);
    Awaitable<std::string> send_commit(SentCommit commit, std::vector<hub::CommitLine> lines);
    Awaitable<> recover(Error error);
    Awaitable<> forget_commit();
    Awaitable<> commit_is_in(std::string commit);
    Awaitable<> open_pull_request(std::string base);
    Error conflict(const std::string& head) const;

    // Those whose answer was lost (upload_recovery.cpp).
    Awaitable<> settle_pending();
    Awaitable<std::string> arrived_as(std::string head);
    Awaitable<bool> is_ours(std::string commit);
    Awaitable<std::optional<std::uint64_t>> lost_pull_request(std::vector<std::string> bases);

    // The end (upload_ending.cpp).
    Awaitable<> finish();
    Awaitable<> share_with_cache(std::string commit);
    Awaitable<> share(std::string commit);

    const UploadContext& context_;
    const FindAttached& attached_;
    Turns& large_pushes_;
    JobRecord& record_;
    scheduling::Claimant claimant_; ///< of a turn among large pushes
    CommitOrder& order_;
    std::function<void()> changed_;
    std::shared_ptr<scheduling::WaitNote> note_ = std::make_shared<scheduling::WaitNote>();
    PushState state_; ///< while it runs
    SeriesPace pace_;
    std::string base_;        ///< the head that the verdicts are about
    std::vector<bool> asked_; ///< which changes have one, by place
    std::string last_commit_; ///< of ours
    unsigned failures_ = 0;   ///< of commits, in a row
    bool repo_made_ = false;
    bool branch_made_ = false;
    bool readme_checked_ = false;
    std::vector<const InAir*> in_air_;
    Counts counted_;
    std::uint64_t gained_ = 0;
};

} // namespace wharf::jobs
