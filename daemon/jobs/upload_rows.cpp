#include "daemon/jobs/upload_rows.hpp"

#include "base/log.hpp"
#include "daemon/jobs/upload_schema.hpp"
#include "daemon/sqlite/move_aside.hpp"
#include "daemon/sqlite/statement.hpp"
#include "daemon/sqlite/transaction.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>
#include <string_view>
#include <utility>

namespace wharf::jobs {

namespace {

using sqlite::Transaction;

std::string seal_purpose(std::uint64_t upload, const std::string& oid) {
    return fmt::format("upload {} {}", upload, oid);
}

/// A line each; URLs hold no line ends.
std::string to_text(const hub::UploadAction& action) {
    return fmt::format("{}\n{}\n{}\n{}", action.href, action.verify, action.chunk_size,
                       fmt::join(action.parts, "\n"));
}

std::optional<hub::UploadAction> action_from(std::string_view text) {
    std::vector<std::string> lines;
    for (const auto line : std::views::split(text, '\n')) {
        lines.emplace_back(line.begin(), line.end());
    }
    if (lines.size() < 4) {
        return std::nullopt;
    }
    hub::UploadAction action;
    action.href = lines[0];
    action.verify = lines[1];
    action.chunk_size = std::stoull(lines[2]);
    action.parts.assign(lines.begin() + 3, lines.end());
    return action;
}

std::optional<std::string> text_or_null(sqlite::Row row, int column) {
    return row.is_null(column) ? std::nullopt : std::optional<std::string>{row.text(column)};
}

std::optional<hub::RepoId> source_repo(sqlite::Row row, int type, int name) {
    if (row.is_null(type)) {
        return std::nullopt;
    }
    return hub::RepoId{hub::repo_type_from(row.text(type)).value_or(hub::RepoType::model),
                       std::string{row.text(name)}};
}

PushChange change_from(sqlite::Row row) {
    PushChange change;
    change.number = row.integer(0);
    change.kind = static_cast<PushChange::Kind>(row.integer(1));
    change.path = row.text(2);
    change.below = row.text(3);
    change.staged = row.text(4);
    change.size = static_cast<std::uint64_t>(row.integer(5));
    change.hashes = row.text(6);
    change.from_path = row.text(7);
    change.from_repo = source_repo(row, 8, 9);
    change.from_revision = text_or_null(row, 10);
    if (!row.is_null(11)) {
        change.mode = static_cast<hub::UploadMode>(row.integer(11));
    }
    change.ignored = row.integer(12) != 0;
    change.remote = row.text(13);
    change.oid = row.text(14);
    change.sent = row.integer(15) != 0;
    change.commit = static_cast<std::uint64_t>(row.integer(16));
    change.done = row.integer(17) != 0;
    return change;
}

/// While it lives, a commit flushes the log, and with it all that was committed before.
class Flushing {
  public:
    explicit Flushing(sqlite::Database& database) : database_{database} {
        database_.execute("PRAGMA synchronous = FULL");
    }
    Flushing(const Flushing&) = delete;
    Flushing& operator=(const Flushing&) = delete;
    ~Flushing() {
        try {
            database_.execute("PRAGMA synchronous = NORMAL");
        } catch (const Error&) { // then it goes on flushing
        }
    }

  private:
    sqlite::Database& database_;
};

std::optional<std::int64_t> mode_column(const PushChange& change) {
    return change.mode ? std::optional{static_cast<std::int64_t>(*change.mode)} : std::nullopt;
}

} // namespace

struct UploadRows::Statements {
    explicit Statements(sqlite::Database& database)
        : all{database, "SELECT id, uid, (SELECT coalesce(sum(size), 0) FROM change "
                        "WHERE upload = id AND staged != '') FROM upload"},
          create{database, "INSERT INTO upload (uid) VALUES (?)"},
          last{database, "SELECT last_insert_rowid()"},
          insert{database, "INSERT INTO change (upload, number, kind, path, below, staged, size, "
                           "hashes, from_path, from_type, from_repo, from_revision) "
                           "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
          size{database, "SELECT count(*) FROM change WHERE upload = ?"},
          load{database, "SELECT number, kind, path, below, staged, size, hashes, from_path, "
                         "from_type, from_repo, from_revision, mode, ignored, remote, oid, sent, "
                         "commit_number, done FROM change WHERE upload = ? ORDER BY number"},
          commits{database, "SELECT commits, pull_request FROM upload WHERE id = ?"},
          pending{database, "SELECT number, parent, title FROM pending WHERE upload = ?"},
          update{database, "UPDATE change SET kind = ?, staged = ?, size = ?, hashes = ?, "
                           "mode = ?, ignored = ?, remote = ?, oid = ?, sent = ?, "
                           "commit_number = ?, done = ? WHERE upload = ? AND number = ?"},
          set_pending{database, "INSERT OR REPLACE INTO pending (upload, number, parent, title) "
                                "SELECT ?1, ?2, ?3, ?4 WHERE EXISTS "
                                "(SELECT 1 FROM upload WHERE id = ?1)"},
          clear_pending{database, "DELETE FROM pending WHERE upload = ?"},
          set_pull_request{database, "UPDATE upload SET pull_request = ? WHERE id = ?"},
          unassign{database, "UPDATE change SET commit_number = 0 WHERE upload = ? AND "
                             "commit_number = ? AND done = 0"},
          assign{database, "UPDATE change SET commit_number = ? WHERE upload = ? AND number = ?"},
          settle{database, "UPDATE change SET done = 1 WHERE upload = ? AND number = ?"},
          changes_done{database, "UPDATE change SET done = 1 WHERE upload = ? AND "
                                 "commit_number = ?"},
          count{database, "UPDATE upload SET commits = commits + 1 WHERE id = ?"},
          save_action{database, "INSERT OR REPLACE INTO object (upload, oid, action) "
                                "SELECT ?1, ?2, ?3 WHERE EXISTS "
                                "(SELECT 1 FROM upload WHERE id = ?1)"},
          forget_parts{database, "DELETE FROM part WHERE upload = ? AND oid = ?"},
          save_part{database, "INSERT OR REPLACE INTO part (upload, oid, number, etag) "
                              "SELECT ?1, ?2, ?3, ?4 WHERE EXISTS "
                              "(SELECT 1 FROM upload WHERE id = ?1)"},
          action{database, "SELECT action FROM object WHERE upload = ? AND oid = ?"},
          parts{database, "SELECT number, etag FROM part WHERE upload = ? AND oid = ? "
                          "ORDER BY number"},
          remove_parts{database, "DELETE FROM part WHERE upload = ?"},
          remove_objects{database, "DELETE FROM object WHERE upload = ?"},
          remove_changes{database, "DELETE FROM change WHERE upload = ?"},
          remove{database, "DELETE FROM upload WHERE id = ?"} {}

    sqlite::Statement all;
    sqlite::Statement create;
    sqlite::Statement last;
    sqlite::Statement insert;
    sqlite::Statement size;
    sqlite::Statement load;
    sqlite::Statement commits;
    sqlite::Statement pending;
    sqlite::Statement update;
    sqlite::Statement set_pending;
    sqlite::Statement clear_pending;
    sqlite::Statement set_pull_request;
    sqlite::Statement unassign;
    sqlite::Statement assign;
    sqlite::Statement settle;
    sqlite::Statement changes_done;
    sqlite::Statement count;
    sqlite::Statement save_action;
    sqlite::Statement forget_parts;
    sqlite::Statement save_part;
    sqlite::Statement action;
    sqlite::Statement parts;
    sqlite::Statement remove_parts;
    sqlite::Statement remove_objects;
    sqlite::Statement remove_changes;
    sqlite::Statement remove;
};

UploadRows::UploadRows(const std::filesystem::path& file, const access::Sealer& sealer)
    : sealer_{sealer}, database_{file} {
    database_.check();
    database_.migrate(upload_schema);
    statements_ = std::make_unique<Statements>(database_);
}

UploadRows::~UploadRows() = default;

std::vector<UploadRows::Known> UploadRows::all() {
    std::vector<Known> known;
    for (const sqlite::Row row : statements_->all.use()) {
        known.push_back({.id = static_cast<std::uint64_t>(row.integer(0)),
                         .uid = static_cast<uid_t>(row.integer(1)),
                         .staged_bytes = static_cast<std::uint64_t>(row.integer(2))});
    }
    return known;
}

std::uint64_t UploadRows::create(uid_t uid) {
    Transaction transaction{database_, Transaction::Kind::write};
    statements_->create.run(uid);
    std::uint64_t id = 0;
    for (const sqlite::Row row : statements_->last.use()) {
        id = static_cast<std::uint64_t>(row.integer(0));
    }
    transaction.commit();
    return id;
}

void UploadRows::remove(std::uint64_t upload) {
    Transaction transaction{database_, Transaction::Kind::write};
    statements_->remove_parts.run(upload);
    statements_->remove_objects.run(upload);
    statements_->clear_pending.run(upload);
    statements_->remove_changes.run(upload);
    statements_->remove.run(upload);
    transaction.commit();
}

void UploadRows::add(std::uint64_t upload, std::span<const PushChange> changes) {
    Transaction transaction{database_, Transaction::Kind::write};
    for (const auto& change : changes) {
        const auto& from = change.from_repo;
        const auto type = from ? std::optional{hub::name(from->type)} : std::nullopt;
        const auto name = from ? std::optional<std::string_view>{from->name} : std::nullopt;
        const auto revision = change.from_revision
                                  ? std::optional<std::string_view>{*change.from_revision}
                                  : std::nullopt;
        statements_->insert.run(upload, change.number, static_cast<std::int64_t>(change.kind),
                                change.path, change.below, change.staged, change.size,
                                change.hashes, change.from_path, type, name, revision);
    }
    transaction.commit();
}

std::size_t UploadRows::size_of(std::uint64_t upload) {
    std::size_t size = 0;
    for (const sqlite::Row row : statements_->size.use(upload)) {
        size = static_cast<std::size_t>(row.integer(0));
    }
    return size;
}

PushState UploadRows::load(std::uint64_t upload) {
    PushState state;
    for (const sqlite::Row row : statements_->load.use(upload)) {
        state.changes.push_back(change_from(row));
    }
    for (const sqlite::Row row : statements_->commits.use(upload)) {
        state.commits = static_cast<std::uint64_t>(row.integer(0));
        if (!row.is_null(1)) {
            state.pull_request = static_cast<std::uint64_t>(row.integer(1));
        }
    }
    for (const sqlite::Row row : statements_->pending.use(upload)) {
        state.pending = SentCommit{.number = static_cast<std::uint64_t>(row.integer(0)),
                                   .parent = std::string{row.text(1)},
                                   .title = std::string{row.text(2)}};
    }
    return state;
}

void UploadRows::update(std::uint64_t upload, std::span<const PushChange> changes) {
    Transaction transaction{database_, Transaction::Kind::write};
    for (const auto& change : changes) {
        statements_->update.run(static_cast<std::int64_t>(change.kind), change.staged, change.size,
                                change.hashes, mode_column(change), change.ignored, change.remote,
                                change.oid, change.sent, change.commit, change.done, upload,
                                change.number);
    }
    transaction.commit();
}

void UploadRows::set_pending(std::uint64_t upload, const SentCommit& commit,
                             std::span<const PushChange> changes) {
    const Flushing flushing{database_};
    Transaction transaction{database_, Transaction::Kind::write};
    statements_->set_pending.run(upload, commit.number, commit.parent, commit.title);
    statements_->unassign.run(upload, commit.number);
    for (const auto& change : changes) {
        statements_->assign.run(commit.number, upload, change.number);
    }
    transaction.commit();
}

void UploadRows::set_pull_request(std::uint64_t upload, std::uint64_t number) {
    Transaction transaction{database_, Transaction::Kind::write};
    statements_->set_pull_request.run(number, upload);
    statements_->clear_pending.run(upload);
    transaction.commit();
}

void UploadRows::no_commit_needed(std::uint64_t upload, std::span<const PushChange> changes) {
    Transaction transaction{database_, Transaction::Kind::write};
    for (const auto& change : changes) {
        statements_->settle.run(upload, change.number);
    }
    transaction.commit();
}

void UploadRows::clear_pending(std::uint64_t upload) {
    statements_->clear_pending.run(upload);
}

void UploadRows::commit_done(std::uint64_t upload, std::uint64_t number) {
    Transaction transaction{database_, Transaction::Kind::write};
    statements_->changes_done.run(upload, number);
    statements_->count.run(upload);
    statements_->clear_pending.run(upload);
    transaction.commit();
}

void UploadRows::save_action(std::uint64_t upload, const std::string& oid,
                             const hub::UploadAction& action, bool keeps_parts) {
    const std::string sealed = sealer_.seal(to_text(action), seal_purpose(upload, oid));
    Transaction transaction{database_, Transaction::Kind::write};
    statements_->save_action.run(upload, oid,
                                 std::as_bytes(std::span{sealed.data(), sealed.size()}));
    if (!keeps_parts) {
        statements_->forget_parts.run(upload, oid);
    }
    transaction.commit();
}

void UploadRows::save_part(std::uint64_t upload, const std::string& oid, std::size_t part,
                           const std::string& etag) {
    statements_->save_part.run(upload, oid, part, etag);
}

std::optional<transfer::PartsSent> UploadRows::parts_of(std::uint64_t upload,
                                                        const std::string& oid) {
    std::string sealed;
    for (const sqlite::Row row : statements_->action.use(upload, oid)) {
        const auto bytes = row.blob(0);
        sealed.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    if (sealed.empty()) {
        return std::nullopt;
    }
    const auto opened = sealer_.open(sealed, seal_purpose(upload, oid));
    auto action = opened ? action_from(opened->view()) : std::nullopt;
    if (!action) {
        return std::nullopt;
    }
    transfer::PartsSent sent{.action = *std::move(action), .etags = {}};
    for (const sqlite::Row row : statements_->parts.use(upload, oid)) {
        sent.etags.emplace_back(static_cast<std::size_t>(row.integer(0)), std::string{row.text(1)});
    }
    return sent;
}

void UploadRows::sync() {
    const Flushing flushing{database_};
    Transaction transaction{database_, Transaction::Kind::write};
    database_.execute("UPDATE upload SET uid = uid WHERE id = (SELECT max(id) FROM upload)");
    transaction.commit();
}

std::unique_ptr<UploadRows> open_upload_rows(const std::filesystem::path& file,
                                             const access::Sealer& sealer) {
    try {
        return std::make_unique<UploadRows>(file, sealer);
    } catch (const sqlite::Damaged& damage) {
        log::error("jobs", "{}", damage.message());
    }
    log::error("jobs", "what was to be pushed was damaged: kept as {}; push it again",
               sqlite::move_aside(file).native());
    return std::make_unique<UploadRows>(file, sealer);
}

} // namespace wharf::jobs
