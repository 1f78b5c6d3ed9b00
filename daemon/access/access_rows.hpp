#pragma once

#include "daemon/access/access_record.hpp"
#include "daemon/sqlite/database.hpp"

#include <filesystem>
#include <memory>
#include <span>

namespace wharf::access {

/// Who may read what, in SQLite. One thread. Throws storage and no_space Errors, and
/// sqlite::Damaged.
class AccessRows {
  public:
    explicit AccessRows(const std::filesystem::path& file);
    ~AccessRows();

    AccessRecords all();

    /// Writes all or nothing.
    void save(std::span<const RecordChange> changes);

  private:
    sqlite::Database database_;
    struct Statements;
    std::unique_ptr<Statements> statements_;
};

/// Opens the file of a state folder. A damaged one is moved aside (`.broken-<time>`), and everybody
/// has to prove anew.
std::unique_ptr<AccessRows> open_access_rows(const std::filesystem::path& file);

} // namespace wharf::access
