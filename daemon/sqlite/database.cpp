#include "daemon/sqlite/database.hpp"

#include "base/unique_fd.hpp"
#include "daemon/sqlite/failure.hpp"
#include "daemon/sqlite/statement.hpp"
#include "daemon/sqlite/transaction.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <fcntl.h>

namespace wharf::sqlite {

namespace {

/// How long to wait for a lock that another process holds (a backup, an administrator's shell).
constexpr int busy_timeout_ms = 5'000;

/// SQLite creates files with mode 0644 less the umask; this one is nobody else's business.
void create_private(const std::filesystem::path& path) {
    const UniqueFd created{adopt_fd, ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    if (!created) {
        throw system_error(fmt::format("opening {}", path.native()), errno);
    }
}

} // namespace

void fail(sqlite3* database, int code, std::string_view doing) {
    const char* file = database == nullptr ? nullptr : ::sqlite3_db_filename(database, "main");
    const auto message =
        fmt::format("{} in {}: {}", doing, file == nullptr ? "a database" : file,
                    database == nullptr ? ::sqlite3_errstr(code) : ::sqlite3_errmsg(database));
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        throw Damaged{ErrorKind::storage, message, "restart wharfd: it mends what it can"};
    case SQLITE_FULL:
        throw Error{ErrorKind::no_space, message, "free some space, then try again"};
    case SQLITE_BUSY:
        throw Error{ErrorKind::storage, message, "another program holds this file; close it"};
    default:
        throw Error{ErrorKind::storage, message};
    }
}

void Database::Close::operator()(sqlite3* database) const noexcept {
    ::sqlite3_close_v2(database); // v2: statements may still be alive; the last one closes
}

Database::Database(const std::filesystem::path& path) : path_{path} {
    create_private(path);
    sqlite3* opened = nullptr;
    // NOMUTEX: our owner says that one thread at a time comes here.
    const int result = ::sqlite3_open_v2(
        path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        nullptr);
    handle_.reset(opened);
    if (result != SQLITE_OK) {
        fail(opened, result, "opening the database");
    }
    ::sqlite3_busy_timeout(opened, busy_timeout_ms);
    Statement wal{*this, "PRAGMA journal_mode = WAL"};
    for (const Row row : wal.use()) {
        if (row.text(0) != "wal") {
            throw Error{ErrorKind::storage,
                        fmt::format("{} cannot have a write-ahead log there", path.native()),
                        "put it on a local file system"};
        }
    }
    execute("PRAGMA synchronous = NORMAL");
}

void Database::execute(const std::string& sql) {
    const int result = ::sqlite3_exec(handle(), sql.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) {
        fail(handle(), result, "running a statement");
    }
}

std::int64_t Database::integer(const std::string& pragma) {
    Statement statement{*this, pragma};
    std::int64_t value = 0;
    for (const Row row : statement.use()) {
        value = row.integer(0);
    }
    return value;
}

void Database::check() {
    Statement statement{*this, "PRAGMA quick_check(1)"};
    std::string verdict;
    for (const Row row : statement.use()) {
        verdict = row.text(0);
    }
    if (verdict != "ok") {
        throw Damaged{ErrorKind::storage, fmt::format("{}: {}", path_.native(), verdict)};
    }
}

void Database::migrate(std::span<const std::string_view> steps) {
    const auto version = integer("PRAGMA user_version");
    if (version < 0 || static_cast<std::size_t>(version) > steps.size()) {
        throw Error{ErrorKind::storage,
                    fmt::format("{} has schema version {}, but this wharfd knows versions up to {}",
                                path_.native(), version, steps.size()),
                    "a newer wharfd wrote it: install that one again"};
    }
    for (auto next = static_cast<std::size_t>(version); next < steps.size(); ++next) {
        Transaction transaction{*this, Transaction::Kind::write};
        execute(std::string{steps[next]});
        execute(fmt::format("PRAGMA user_version = {}", next + 1));
        transaction.commit();
    }
}

} // namespace wharf::sqlite
