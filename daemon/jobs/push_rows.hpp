#pragma once

#include "daemon/jobs/job_record.hpp"
#include "daemon/sqlite/database.hpp"
#include "daemon/sqlite/statement.hpp"

#include <cstdint>
#include <vector>

namespace wharf::jobs {

/// What the database keeps of pushes beside what it keeps of every job. Part of JobRows.
class PushRows {
  public:
    explicit PushRows(sqlite::Database& database);

    void add(std::uint64_t job, const CommitOrder& push);
    void change(std::uint64_t job, const UploadOutcome& outcome);
    void read(std::uint64_t job, CommitOrder& push);
    std::vector<std::uint64_t> uploads(); ///< see JobRows
    void remove(std::int64_t job) { remove_.run(job); }

  private:
    sqlite::Statement insert_;
    sqlite::Statement update_;
    sqlite::Statement find_;
    sqlite::Statement uploads_;
    sqlite::Statement remove_;
};

} // namespace wharf::jobs
