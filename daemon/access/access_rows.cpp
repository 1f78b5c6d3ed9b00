#include "daemon/access/access_rows.hpp"

#include "base/log.hpp"
#include "daemon/access/schema.hpp"
#include "daemon/sqlite/move_aside.hpp"
#include "daemon/sqlite/statement.hpp"
#include "daemon/sqlite/transaction.hpp"

namespace wharf::access {

namespace {

using std::chrono::milliseconds;

std::int64_t to_column(WallTime time) {
    return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}

WallTime time_from(std::int64_t value) {
    return WallTime{std::chrono::duration_cast<WallTime::duration>(milliseconds{value})};
}

/// None for what only a newer wharfd knows.
std::optional<hub::RepoId> repo_from(std::string_view type, std::string_view name) {
    const auto known = hub::repo_type_from(type);
    return known ? std::optional{hub::RepoId{.type = *known, .name = std::string{name}}}
                 : std::nullopt;
}

} // namespace

struct AccessRows::Statements {
    explicit Statements(sqlite::Database& database)
        : publics{database, "SELECT repo_type, repo, proven FROM public_repo"},
          grants{database,
                 "SELECT repo_type, repo, uid, proven, used, by_stored FROM access_grant"},
          set_public{database, "INSERT INTO public_repo (repo_type, repo, proven) VALUES (?, ?, ?) "
                               "ON CONFLICT DO UPDATE SET proven = excluded.proven"},
          set_grant{database,
                    "INSERT INTO access_grant (repo_type, repo, uid, proven, used, by_stored) "
                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET proven = "
                    "excluded.proven, used = excluded.used, by_stored = excluded.by_stored"},
          unset_public{database, "DELETE FROM public_repo WHERE repo_type = ? AND repo = ?"},
          unset_grant{database,
                      "DELETE FROM access_grant WHERE repo_type = ? AND repo = ? AND uid = ?"} {}

    sqlite::Statement publics;
    sqlite::Statement grants;
    sqlite::Statement set_public;
    sqlite::Statement set_grant;
    sqlite::Statement unset_public;
    sqlite::Statement unset_grant;

    void save(const RecordChange& change);
};

void AccessRows::Statements::save(const RecordChange& change) {
    const auto& [repo, uid] = change.key;
    const auto type = hub::name(repo.type);
    const auto& times = change.times;
    if (uid && times) {
        set_grant.run(type, repo.name, *uid, to_column(times->proven), to_column(times->used),
                      times->by_stored);
    } else if (uid) {
        unset_grant.run(type, repo.name, *uid);
    } else if (times) {
        set_public.run(type, repo.name, to_column(times->proven));
    } else {
        unset_public.run(type, repo.name);
    }
}

AccessRows::AccessRows(const std::filesystem::path& file) : database_{file} {
    database_.check();
    database_.migrate(access_schema);
    statements_ = std::make_unique<Statements>(database_);
}

AccessRows::~AccessRows() = default;

AccessRecords AccessRows::all() {
    AccessRecords records;
    for (const sqlite::Row row : statements_->publics.use()) {
        if (auto repo = repo_from(row.text(0), row.text(1))) {
            records.publics.push_back(
                {.repo = *std::move(repo), .proven = time_from(row.integer(2))});
        }
    }
    for (const sqlite::Row row : statements_->grants.use()) {
        if (auto repo = repo_from(row.text(0), row.text(1))) {
            records.grants.push_back({.uid = static_cast<uid_t>(row.integer(2)),
                                      .repo = *std::move(repo),
                                      .proven = time_from(row.integer(3)),
                                      .used = time_from(row.integer(4)),
                                      .by_stored = row.integer(5) != 0});
        }
    }
    return records;
}

void AccessRows::save(std::span<const RecordChange> changes) {
    sqlite::Transaction transaction{database_, sqlite::Transaction::Kind::write};
    for (const auto& change : changes) {
        statements_->save(change);
    }
    transaction.commit();
}

std::unique_ptr<AccessRows> open_access_rows(const std::filesystem::path& file) {
    try {
        return std::make_unique<AccessRows>(file);
    } catch (const sqlite::Damaged& damage) {
        log::error("access", "{}", damage.message());
    }
    log::error("access", "who may read what was damaged: kept as {}; all have to prove it anew",
               sqlite::move_aside(file).native());
    return std::make_unique<AccessRows>(file);
}

} // namespace wharf::access
