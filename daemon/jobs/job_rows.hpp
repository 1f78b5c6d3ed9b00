#pragma once

#include "daemon/jobs/job_record.hpp"
#include "daemon/sqlite/database.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <sys/types.h>
#include <vector>

namespace wharf::jobs {

/// What a written row survives.
enum class Durability {
    process, ///< the end of the daemon, also by kill -9
    power    ///< also a power failure
};

/// Jobs in SQLite. One thread. Throws storage and no_space Errors, and sqlite::Damaged.
class JobRows {
  public:
    explicit JobRows(const std::filesystem::path& file);
    ~JobRows();

    /// A job as it is now. What it is to select never changes and is written once.
    struct Change {
        JobRecord record;
        bool is_new = false;
    };

    /// Writes all or nothing.
    void save(std::span<const Change> changes, Durability durability);

    /// Jobs that are not over, oldest first.
    std::vector<JobRecord> unfinished();

    /// Up to `limit` jobs with smaller numbers than `before`, newest first, without their filters;
    /// of one account or, without a uid, of all.
    std::vector<JobRecord> page(std::optional<uid_t> uid, std::uint64_t before, std::size_t limit);

    std::optional<JobRecord> find(std::uint64_t id);

    /// The uploads of pushes that are neither done nor cancelled.
    std::vector<std::uint64_t> uploads();

    /// Forgets jobs that were over before `oldest`, and the oldest of those that are over beyond
    /// `most`. How many.
    std::size_t trim(WallClock::time_point oldest, std::size_t most);

    /// The greatest number that any job ever had; 0 before the first.
    std::uint64_t last_id();

  private:
    void read_what(JobRecord& record);

    sqlite::Database database_;
    struct Statements;
    std::unique_ptr<Statements> statements_;
};

/// Opens the jobs of a state folder. A damaged file is moved aside (`.broken-<time>`), and the
/// queue begins empty.
std::unique_ptr<JobRows> open_job_rows(const std::filesystem::path& file);

} // namespace wharf::jobs
