#include "daemon/sqlite/database.hpp"
#include "daemon/sqlite/statement.hpp"
#include "daemon/sqlite/transaction.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <array>
#include <fstream>
#include <sys/stat.h>

using wharf::Error;
using wharf::ErrorKind;
using wharf::sqlite::Damaged;
using wharf::sqlite::Database;
using wharf::sqlite::Row;
using wharf::sqlite::Statement;
using wharf::sqlite::Transaction;
using wharf::test::TempDir;

namespace {

std::int64_t integer(Database& database, std::string_view sql) {
    Statement statement{database, sql};
    std::int64_t value = -1;
    for (const Row row : statement.use()) {
        value = row.integer(0);
    }
    return value;
}

constexpr std::array<std::string_view, 3> steps{
    "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (1);",
    "ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT 'old';",
    "UPDATE a SET x = x + 41;",
};

} // namespace

TEST_CASE("a new database is private, in WAL mode and empty") {
    const TempDir dir;
    Database database{dir / "x.db"};
    struct stat info{};
    REQUIRE(::stat((dir / "x.db").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    Statement mode{database, "PRAGMA journal_mode"};
    for (const Row row : mode.use()) {
        CHECK(row.text(0) == "wal");
    }
    CHECK(integer(database, "PRAGMA synchronous") == 1);
    CHECK(integer(database, "PRAGMA busy_timeout") == 5000);
    CHECK(integer(database, "PRAGMA user_version") == 0);
    database.check();
}

TEST_CASE("migrations run once each, in order, from whatever version the file has") {
    const TempDir dir;
    {
        Database database{dir / "x.db"};
        database.migrate(std::span{steps}.first(1));
        CHECK(integer(database, "PRAGMA user_version") == 1);
        CHECK(integer(database, "SELECT x FROM a") == 1);
    }
    Database database{dir / "x.db"};
    database.migrate(steps);
    database.migrate(steps);
    CHECK(integer(database, "PRAGMA user_version") == 3);
    CHECK(integer(database, "SELECT x FROM a") == 42);
}

TEST_CASE("a migration that fails leaves the version before it") {
    const TempDir dir;
    Database database{dir / "x.db"};
    const std::array<std::string_view, 2> broken{steps[0], "DELETE FROM a; CREATE NONSENSE;"};
    CHECK_THROWS_AS(database.migrate(broken), Error);
    CHECK(integer(database, "PRAGMA user_version") == 1);
    CHECK(integer(database, "SELECT count(*) FROM a") == 1);
}

TEST_CASE("a file of a newer version is refused and left alone") {
    const TempDir dir;
    Database database{dir / "x.db"};
    database.migrate(steps);
    try {
        database.migrate(std::span{steps}.first(2));
        FAIL("accepted");
    } catch (const Damaged&) {
        FAIL("newer is not damaged: it must not be thrown away");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::storage);
        CHECK(error.message().ends_with(
            "has schema version 3, but this wharfd knows versions up to 2"));
        CHECK(error.hint() == "a newer wharfd wrote it: install that one again");
    }
    CHECK(integer(database, "SELECT x FROM a") == 42);
}

TEST_CASE("what is no database is damaged") {
    const TempDir dir;
    std::ofstream{dir / "x.db"} << std::string(8192, 'x');
    CHECK_THROWS_AS(Database{dir / "x.db"}, Damaged);
}

TEST_CASE("check() finds a broken page") {
    const TempDir dir;
    {
        Database database{dir / "x.db"};
        database.execute("CREATE TABLE a (x BLOB); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL "
                         "SELECT i + 1 FROM n WHERE i < 100) INSERT INTO a SELECT randomblob(900) "
                         "FROM n");
        database.check();
    }
    std::fstream file{dir / "x.db", std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(3L * 4096);
    file << std::string(4096, '\xa5');
    file.close();
    Database database{dir / "x.db"};
    CHECK_THROWS_AS(database.check(), Damaged);
}

TEST_CASE("a file that cannot be opened is an ordinary storage error") {
    const TempDir dir;
    try {
        Database database{dir / "missing/x.db"};
        FAIL("opened");
    } catch (const Damaged&) {
        FAIL("not damaged");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::storage);
        CHECK(error.message().ends_with("missing/x.db: No such file or directory"));
    }
}

TEST_CASE("a full database file says no_space") {
    const TempDir dir;
    Database database{dir / "x.db"};
    database.execute("CREATE TABLE a (x BLOB)");
    database.execute("PRAGMA max_page_count = 10");
    try {
        Transaction transaction{database, Transaction::Kind::write};
        database.execute("INSERT INTO a VALUES (randomblob(100000))");
        FAIL("inserted");
    } catch (const Error& error) {
        CHECK(error.kind() == ErrorKind::no_space);
    }
    // The destructor coped with SQLite's own rollback: the next transaction begins.
    Transaction next{database, Transaction::Kind::write};
    next.commit();
}

TEST_CASE("transactions roll back unless committed") {
    const TempDir dir;
    Database database{dir / "x.db"};
    database.execute("CREATE TABLE a (x INTEGER)");
    {
        Transaction transaction{database, Transaction::Kind::write};
        database.execute("INSERT INTO a VALUES (1)");
    }
    CHECK(integer(database, "SELECT count(*) FROM a") == 0);
    {
        Transaction transaction{database, Transaction::Kind::write};
        database.execute("INSERT INTO a VALUES (1)");
        transaction.commit();
    }
    CHECK(integer(database, "SELECT count(*) FROM a") == 1);
}

TEST_CASE("a read transaction keeps its view") {
    const TempDir dir;
    Database reader{dir / "x.db"};
    reader.execute("CREATE TABLE a (x INTEGER)");
    Database writer{dir / "x.db"};
    Transaction view{reader, Transaction::Kind::read};
    CHECK(integer(reader, "SELECT count(*) FROM a") == 0);
    writer.execute("INSERT INTO a VALUES (1)");
    CHECK(integer(reader, "SELECT count(*) FROM a") == 0);
    view.commit();
    CHECK(integer(reader, "SELECT count(*) FROM a") == 1);
}
