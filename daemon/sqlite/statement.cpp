#include "daemon/sqlite/statement.hpp"

#include "daemon/sqlite/database.hpp"
#include "daemon/sqlite/failure.hpp"

#include <sqlite3.h>

namespace wharf::sqlite {

bool Row::is_null(int column) const {
    return ::sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Row::integer(int column) const {
    return ::sqlite3_column_int64(statement_, column);
}

std::string_view Row::text(int column) const {
    const auto* data = reinterpret_cast<const char*>(::sqlite3_column_text(statement_, column));
    const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(statement_, column));
    return data == nullptr ? std::string_view{} : std::string_view{data, size};
}

std::span<const std::byte> Row::blob(int column) const {
    const auto* data = static_cast<const std::byte*>(::sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(::sqlite3_column_bytes(statement_, column))};
}

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    ::sqlite3_finalize(statement);
}

Statement::Statement(Database& database, std::string_view sql) {
    sqlite3_stmt* prepared = nullptr;
    const int result =
        ::sqlite3_prepare_v3(database.handle(), sql.data(), static_cast<int>(sql.size()),
                             SQLITE_PREPARE_PERSISTENT, &prepared, nullptr);
    handle_.reset(prepared);
    if (result != SQLITE_OK) {
        fail(database.handle(), result, "preparing a statement");
    }
}

Statement::Use::~Use() {
    ::sqlite3_reset(statement_); // its result repeats the error that step() has thrown
    ::sqlite3_clear_bindings(statement_);
}

bool Statement::Use::step() {
    const int result = ::sqlite3_step(statement_);
    if (result != SQLITE_ROW && result != SQLITE_DONE) {
        fail(::sqlite3_db_handle(statement_), result, "running a statement");
    }
    return result == SQLITE_ROW;
}

void Statement::Use::expect_parameters([[maybe_unused]] std::size_t count) const noexcept {
    assert(static_cast<std::size_t>(::sqlite3_bind_parameter_count(statement_)) == count);
    assert(::sqlite3_stmt_busy(statement_) == 0);
}

namespace {

void check(sqlite3_stmt* statement, int result) {
    if (result != SQLITE_OK) {
        fail(::sqlite3_db_handle(statement), result, "binding a value");
    }
}

} // namespace

void Statement::Use::bind(int index, std::int64_t value) {
    check(statement_, ::sqlite3_bind_int64(statement_, index, value));
}

// Copied by SQLite: callers may pass temporaries, and our texts are short.
void Statement::Use::bind(int index, std::string_view value) {
    check(statement_, ::sqlite3_bind_text64(statement_, index, value.data() ? value.data() : "",
                                            value.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
}

void Statement::Use::bind(int index, std::span<const std::byte> value) {
    const void* data = value.empty() ? "" : static_cast<const void*>(value.data());
    check(statement_,
          ::sqlite3_bind_blob64(statement_, index, data, value.size(), SQLITE_TRANSIENT));
}

void Statement::Use::bind(int index, std::nullptr_t) {
    check(statement_, ::sqlite3_bind_null(statement_, index));
}

} // namespace wharf::sqlite
