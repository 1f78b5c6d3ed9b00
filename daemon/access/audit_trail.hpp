#pragma once

#include "base/error.hpp"
#include "daemon/access/audit.hpp"
#include "daemon/access/known_accounts.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"

#include <chrono>
#include <cstddef>
#include <deque>
#include <memory>
#include <optional>

namespace wharf::access {

/// Where audit records end. Used by one thread at a time, which it may block.
class AuditSink {
  public:
    virtual ~AuditSink() = default;

    /// Throws Error when the record could not be written; it will be handed in again.
    virtual void write(const AuditRecord& record) = 0;
};

/// Takes events down behind the control thread's back: completes them with the account's name and
/// writes them on a thread of its own, in their order. What cannot be written is tried again; when
/// too much has gathered the newest are dropped and counted, and the count is written where they
/// are missing. Control thread.
class AuditTrail final : public Audit {
  public:
    /// Requires: `accounts` and the executor's loop outlive this.
    AuditTrail(Executor executor, KnownAccounts& accounts, AuditScope scope,
               std::shared_ptr<AuditSink> sink);
    ~AuditTrail() override;

    bool wants(bool restricted) const noexcept override;
    void record(const AuditEvent& event) noexcept override;

    /// Takes over a changed configuration; also with the same kind of sink, made anew, so that a
    /// file that was renamed is let go of.
    void set(AuditScope scope, std::shared_ptr<AuditSink> sink);

    /// Writes what is left, if that goes well at once.
    Awaitable<> stop();

    static constexpr std::size_t most_waiting = 4096;

  private:
    Awaitable<> write_all();
    Awaitable<> write_batch();
    void complain(const Error& error);

    KnownAccounts& accounts_;
    AuditScope scope_;
    std::shared_ptr<AuditSink> sink_;
    std::deque<AuditRecord> waiting_;
    std::size_t dropped_ = 0; ///< behind the last of waiting_
    bool is_writing_ = false;
    bool failing_ = false;
    bool stopping_ = false;
    std::optional<std::chrono::steady_clock::time_point> complained_;
    async::Event hurry_; ///< ends the wait before the next try
    async::BlockingPool disk_{1};
    async::TaskGroup writer_; // last: ends before what it uses
};

} // namespace wharf::access
