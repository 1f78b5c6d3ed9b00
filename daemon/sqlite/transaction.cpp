#include "daemon/sqlite/transaction.hpp"

#include "daemon/sqlite/database.hpp"

#include <sqlite3.h>

namespace wharf::sqlite {

Transaction::Transaction(Database& database, Kind kind) : database_{database} {
    database_.execute(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN DEFERRED");
}

Transaction::~Transaction() {
    // A full disk makes SQLite roll back by itself: then there is nothing left to end.
    if (open_ && ::sqlite3_get_autocommit(database_.handle()) == 0) {
        ::sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

void Transaction::commit() {
    database_.execute("COMMIT"); // if this fails the destructor rolls back
    open_ = false;
}

} // namespace wharf::sqlite
