#pragma once

#include "daemon/access/access_rows.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/event.hpp"
#include "daemon/async/task_group.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <vector>

namespace wharf::access {

/// Who may read what on disk, for the control thread: written behind its back on a thread of their
/// own. What comes while a write is on its way is the next one, and of one record only the last
/// state. A failed write is tried again, until the disk takes it. A crash that loses the last
/// writes costs a question to the Hub.
class AccessStore {
  public:
    /// Opens or makes the file, and blocks meanwhile. Throws storage Errors. Requires: the
    /// executor's event loop outlives this.
    AccessStore(Executor executor, const std::filesystem::path& file);

    /// What an earlier run knew. Blocks: for the start, before the first note().
    AccessRecords all() { return rows_->all(); }

    /// Takes down a record as it is now, soon.
    void note(const RecordChange& change);

    /// Whether the last write failed.
    bool is_troubled() const noexcept { return failed_; }

    /// Writes what is left, and waits for it; gives up what cannot be written now.
    Awaitable<> stop();

  private:
    using Changes = std::map<RecordKey, RecordChange>;

    Awaitable<> write_all();
    Awaitable<> write_batch();

    std::unique_ptr<AccessRows> rows_;
    Changes pending_;
    bool failed_ = false;
    bool is_writing_ = false;
    bool stopping_ = false;
    async::Event hurry_; ///< ends the wait before the next try
    async::BlockingPool disk_{1};
    async::TaskGroup writer_; // last: ends before what it uses
};

} // namespace wharf::access
