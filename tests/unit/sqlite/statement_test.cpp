#include "daemon/sqlite/database.hpp"
#include "daemon/sqlite/statement.hpp"
#include "tests/support/temp_dir.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

using wharf::sqlite::Database;
using wharf::sqlite::Row;
using wharf::sqlite::Statement;
using wharf::test::TempDir;

TEST_CASE("values of each type go in and come out") {
    const TempDir dir;
    Database database{dir / "x.db"};
    database.execute("CREATE TABLE a (i, t, b, n)");
    Statement insert{database, "INSERT INTO a VALUES (?, ?, ?, ?)"};
    const std::array<std::byte, 3> bytes{std::byte{0}, std::byte{255}, std::byte{7}};
    insert.run(std::int64_t{-5}, std::string{"te\0xt", 5}, std::span<const std::byte>{bytes},
               nullptr);
    insert.run(true, std::string_view{}, std::span<const std::byte>{}, std::optional<int>{12});
    insert.run(1, "x", std::span<const std::byte>{}, std::optional<std::int64_t>{});
    Statement select{database, "SELECT i, t, b, n FROM a ORDER BY i"};
    int row_number = 0;
    for (const Row row : select.use()) {
        CHECK(row.is_null(3) == (row_number != 1));
        if (row_number == 0) {
            CHECK(row.integer(0) == -5);
            CHECK(row.text(1) == std::string_view{"te\0xt", 5});
            CHECK(std::ranges::equal(row.blob(2), bytes));
        } else if (row_number == 1) {
            CHECK(row.integer(0) == 1);
            CHECK(row.text(1).empty());
            CHECK_FALSE(row.is_null(1));
            CHECK(row.blob(2).empty());
            CHECK_FALSE(row.is_null(2));
            CHECK(row.integer(3) == 12);
        }
        ++row_number;
    }
    CHECK(row_number == 3);
}

TEST_CASE("a statement can be used again after a loop was left early") {
    const TempDir dir;
    Database database{dir / "x.db"};
    database.execute("CREATE TABLE a (x); INSERT INTO a VALUES (1), (2), (3)");
    Statement select{database, "SELECT x FROM a WHERE x >= ? ORDER BY x"};
    for (const Row row : select.use(2)) {
        CHECK(row.integer(0) == 2);
        break;
    }
    std::vector<std::int64_t> seen;
    for (const Row row : select.use(1)) {
        seen.push_back(row.integer(0));
    }
    CHECK(seen == std::vector<std::int64_t>{1, 2, 3});
}

TEST_CASE("a statement can be used again after it failed") {
    const TempDir dir;
    Database database{dir / "x.db"};
    database.execute("CREATE TABLE a (x UNIQUE)");
    Statement insert{database, "INSERT INTO a VALUES (?)"};
    insert.run(1);
    CHECK_THROWS_AS(insert.run(1), wharf::Error);
    insert.run(2);
    Statement count{database, "SELECT count(*) FROM a"};
    for (const Row row : count.use()) {
        CHECK(row.integer(0) == 2);
    }
}

TEST_CASE("text that is no SQL is refused with SQLite's reason") {
    const TempDir dir;
    Database database{dir / "x.db"};
    try {
        const Statement statement{database, "SELEKT 1"};
        FAIL("prepared");
    } catch (const wharf::Error& error) {
        CHECK(error.kind() == wharf::ErrorKind::storage);
        CHECK(error.message().find("SELEKT") != std::string::npos);
    }
}
