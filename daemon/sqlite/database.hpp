#pragma once

#include "base/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct sqlite3;

namespace wharf::sqlite {

/// The file is no database or its content contradicts itself. Whoever can make the content again
/// from elsewhere catches this one kind of storage Error.
class Damaged : public Error {
  public:
    using Error::Error;
};

/// One connection to one database file in WAL mode with synchronous=NORMAL: a crash of the process
/// loses nothing, a power failure may lose the last transactions but never breaks the file. Not
/// locked: one thread at a time uses it and its statements.
class Database {
  public:
    /// Opens or creates the file (mode 0600 when created). Throws storage Errors and Damaged.
    explicit Database(const std::filesystem::path& path);

    /// Runs statements that have no parameters and return nothing.
    void execute(const std::string& sql);

    /// Throws Damaged if the file's structure is broken. Reads the whole file.
    void check();

    /// Brings the schema up to date: `steps[n]` turns version n into n + 1, each in a transaction
    /// of its own together with the version's number. Throws a storage Error if the file is of a
    /// newer version than there are steps; such a file is left alone.
    void migrate(std::span<const std::string_view> steps);

    const std::filesystem::path& path() const noexcept { return path_; }

    /// For Statement; borrowed.
    sqlite3* handle() const noexcept { return handle_.get(); }

  private:
    struct Close {
        void operator()(sqlite3* database) const noexcept;
    };

    std::int64_t integer(const std::string& pragma);

    std::filesystem::path path_;
    std::unique_ptr<sqlite3, Close> handle_;
};

} // namespace wharf::sqlite
