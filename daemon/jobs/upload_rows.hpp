#pragma once

#include "daemon/access/sealer.hpp"
#include "daemon/jobs/push_change.hpp"
#include "daemon/sqlite/database.hpp"
#include "daemon/transfer/object_uploads.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

namespace wharf::jobs {

/// What pushes change and how far they are, in SQLite. One thread. What a call has written survives
/// a kill of the daemon; a power failure too after sync(). What is written of an upload that was
/// removed meanwhile is dropped. Throws storage and no_space Errors, and
/// sqlite::Damaged.
class UploadRows {
  public:
    /// Requires: the sealer outlives this.
    UploadRows(const std::filesystem::path& file, const access::Sealer& sealer);
    ~UploadRows();

    struct Known {
        std::uint64_t id = 0;
        uid_t uid = 0;
        std::uint64_t staged_bytes = 0;
    };
    std::vector<Known> all();

    std::uint64_t create(uid_t uid);
    void remove(std::uint64_t upload);

    /// Adds changes, with the numbers they have.
    void add(std::uint64_t upload, std::span<const PushChange> changes);

    /// How many changes an upload has.
    std::size_t size_of(std::uint64_t upload);

    PushState load(std::uint64_t upload);

    /// Writes what was found out about changes. A copy that became content is written whole.
    void update(std::uint64_t upload, std::span<const PushChange> changes);

    /// Before a commit is sent: these changes, and no others, belong to it. Survives a power
    /// failure.
    void set_pending(std::uint64_t upload, const SentCommit& commit,
                     std::span<const PushChange> changes);
    /// It did not arrive.
    void clear_pending(std::uint64_t upload);
    /// It is in: its changes are done, and it counts.
    void commit_done(std::uint64_t upload, std::uint64_t number);

    void save_action(std::uint64_t upload, const std::string& oid, const hub::UploadAction& action,
                     bool keeps_parts);
    void save_part(std::uint64_t upload, const std::string& oid, std::size_t part,
                   const std::string& etag);
    /// None when nothing is known, or the key of this box has changed since.
    std::optional<transfer::PartsSent> parts_of(std::uint64_t upload, const std::string& oid);

    /// The pull request is open.
    void set_pull_request(std::uint64_t upload, std::uint64_t number);

    /// Nothing has to be done for these any more.
    void no_commit_needed(std::uint64_t upload, std::span<const PushChange> changes);

    /// Makes all that was written survive a power failure.
    void sync();

  private:
    struct Statements;
    const access::Sealer& sealer_;
    sqlite::Database database_;
    std::unique_ptr<Statements> statements_;
};

/// Opens the uploads of a state folder. A damaged file is moved aside, and with it all pushes that
/// are not done.
std::unique_ptr<UploadRows> open_upload_rows(const std::filesystem::path& file,
                                             const access::Sealer& sealer);

} // namespace wharf::jobs
