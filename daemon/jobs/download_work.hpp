#pragma once

#include "daemon/access/audit.hpp"
#include "daemon/access/gate.hpp"
#include "daemon/access/quota.hpp"
#include "daemon/jobs/room.hpp"
#include "daemon/jobs/work.hpp"
#include "daemon/transfer/flights.hpp"
#include "daemon/transfer/lookups.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace wharf::jobs {

/// What downloading needs from the rest of the daemon.
struct DownloadContext {
    Executor executor;  ///< the control thread's
    access::Gate& gate; ///< asked before anything of a repo is told
    access::Audit& audit;
    access::Quotas& quotas;
    store::Store& store;
    transfer::Flights& flights;
    transfer::Lookups& lookups;
    Room* room = nullptr;      ///< null: nobody knows how much room there is
    async::BlockingPool& pool; ///< for comparing many paths with patterns
    std::size_t files_at_once = 32;
};

/// As select(), away from the control thread where it may take long. Throws its Errors.
Awaitable<store::Entries> select_files(async::BlockingPool& pool, hub::TreePtr tree, Filter filter);

/// Brings the files of one job into its snapshot: asks whether its account may read the repo (a job
/// may run long after it was asked for), finds out the commit, puts in place what is held,
/// joins the flights of what is missing, makes the snapshot durable and moves the ref. The list of
/// what is missing is of pointers into the commit's file list, so a waiting file costs a few bytes.
class DownloadWork final : public Work {
  public:
    /// Requires: `context` and `record` outlive this.
    DownloadWork(const DownloadContext& context, JobRecord& record);

    Awaitable<> run(std::function<void()> changed) override;
    Awaitable<bool> has_room() override;
    Progress progress() const override;
    std::uint64_t gained() const noexcept override;
    bool is_held_up() const override;
    void priority_changed() override;

  private:
    using Wanted = std::vector<const hub::TreeEntry*>; ///< into tree_

    struct InAir {
        const hub::TreeEntry* entry;
        transfer::Ticket* ticket;
        std::uint64_t before; ///< bytes that were there when we joined
        std::uint64_t done() const noexcept;
        std::uint64_t gained() const noexcept;
    };

    Awaitable<> resolve(std::function<void()> changed);
    Awaitable<> sort_out();
    Awaitable<> check_unverified(store::Entries unverified);
    Awaitable<> require_room();
    Awaitable<std::uint64_t> still_needed();
    Awaitable<> fetch_missing();
    Awaitable<> fetch(const hub::TreeEntry& entry);
    Awaitable<> place_arrived();
    Awaitable<> place(store::Entries arrived);
    Awaitable<> finish();
    void count(const store::Entries& wanted, const store::Entries& lacking);
    Wanted in_tree(const store::Entries& entries) const;

    const DownloadContext& context_;
    JobRecord& record_;
    std::shared_ptr<scheduling::WaitNote> note_ = std::make_shared<scheduling::WaitNote>();
    hub::TreePtr tree_;                      ///< while it runs
    std::unique_ptr<access::Charge> charge_; ///< likewise
    Wanted missing_;                         ///< what the cache lacks, in the order asked
    store::Entries arrived_;                 ///< landed, not yet in the snapshot
    std::vector<const InAir*> in_air_;
    bool placing_ = false;
    Counts counted_;
    std::uint64_t gained_ = 0;
    std::uint64_t lacked_ = 0; ///< bytes of room that the last run needed
};

} // namespace wharf::jobs
