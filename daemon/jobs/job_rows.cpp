#include "daemon/jobs/job_rows.hpp"

#include "base/log.hpp"
#include "daemon/jobs/push_rows.hpp"
#include "daemon/jobs/schema.hpp"
#include "daemon/sqlite/move_aside.hpp"
#include "daemon/sqlite/statement.hpp"
#include "daemon/sqlite/transaction.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace wharf::jobs {

namespace {

using std::chrono::milliseconds;

std::int64_t to_column(WallClock::time_point time) {
    return std::chrono::duration_cast<milliseconds>(time.time_since_epoch()).count();
}
std::optional<std::int64_t> to_column(std::optional<WallClock::time_point> time) {
    return time ? std::optional{to_column(*time)} : std::nullopt;
}
std::optional<std::string_view> to_column(const std::string& text) {
    return text.empty() ? std::nullopt : std::optional<std::string_view>{text};
}

std::optional<std::string_view> to_column_or_null(const std::optional<std::string>& text) {
    return text ? std::optional<std::string_view>{*text} : std::nullopt;
}

WallClock::time_point time_from(std::int64_t value) {
    return WallClock::time_point{
        std::chrono::duration_cast<WallClock::duration>(milliseconds{value})};
}

/// Reads the columns of a row one after the other, in the order of `columns`.
class Reader {
  public:
    explicit Reader(sqlite::Row row) : row_{row} {}

    std::int64_t integer() { return row_.integer(column_++); }
    std::uint64_t count() { return static_cast<std::uint64_t>(integer()); }
    std::string text() { // NULL reads as empty
        const int column = column_++;
        return row_.is_null(column) ? std::string{} : std::string{row_.text(column)};
    }
    std::optional<std::string> optional_text() {
        const int column = column_++;
        return row_.is_null(column) ? std::nullopt : std::optional<std::string>{row_.text(column)};
    }
    std::string blob() {
        const auto bytes = row_.blob(column_++);
        return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    }
    std::optional<WallClock::time_point> time() {
        const int column = column_++;
        return row_.is_null(column) ? std::nullopt : std::optional{time_from(row_.integer(column))};
    }

  private:
    sqlite::Row row_;
    int column_ = 0;
};

constexpr std::string_view download_kind = "download";
constexpr std::string_view commit_kind = "commit";

constexpr std::string_view columns =
    "id, uid, repo_type, repo, revision, commit_id, ref_before, force, priority, detached, held, "
    "state, reason, waiting_until, created, troubled_since, finished, files_done, files_total, "
    "bytes_done, bytes_total, failure, message, hint, token, kind";

std::optional<Error> failure_from(Reader& reader) {
    const std::string kind = reader.text();
    std::string message = reader.text();
    std::string hint = reader.text();
    if (kind.empty()) {
        return std::nullopt;
    }
    return Error{error_kind_from(kind).value_or(ErrorKind::internal), std::move(message),
                 std::move(hint)};
}

/// Values that a newer wharfd may have written and we do not know become what is harmless.
JobRecord record_from(sqlite::Row row) {
    Reader reader{row};
    JobRecord record;
    record.id = reader.count();
    record.order.uid = static_cast<uid_t>(reader.integer());
    record.order.repo.type = hub::repo_type_from(reader.text()).value_or(hub::RepoType::model);
    record.order.repo.name = reader.text();
    record.order.revision = reader.text();
    record.order.commit = reader.text();
    DownloadOrder download;
    download.ref_before = reader.optional_text();
    download.force = reader.integer() != 0;
    record.priority = priority_from(reader.text()).value_or(Priority::normal);
    record.detached = reader.integer() != 0;
    record.held = reader.integer() != 0;
    record.state = job_state_from(reader.text()).value_or(JobState::failed);
    record.reason = reader.text();
    record.waiting_until = reader.time();
    record.created = reader.time().value_or(WallClock::time_point{});
    record.troubled_since = reader.time();
    record.finished = reader.time();
    record.counts = {.files_done = reader.count(),
                     .files_total = reader.count(),
                     .bytes_done = reader.count(),
                     .bytes_total = reader.count()};
    record.failure = failure_from(reader);
    record.sealed_token = reader.blob();
    if (reader.text() == commit_kind) {
        record.order.what = CommitOrder{};
    } else {
        record.order.what = std::move(download);
    }
    return record;
}

/// What both kinds have a column for and pushes do not need.
const DownloadOrder& download_of(const Order& order) {
    static const DownloadOrder none;
    return order.is_push() ? none : order.download();
}

std::string select_jobs(std::string_view rest) {
    return fmt::format("SELECT {} FROM job {}", columns, rest);
}

} // namespace

struct JobRows::Statements {
    explicit Statements(sqlite::Database& database)
        : insert{database,
                 fmt::format("INSERT INTO job ({}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                             "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                             columns)},
          update{database, "UPDATE job SET commit_id = ?, ref_before = ?, priority = ?, "
                           "detached = ?, held = ?, state = ?, reason = ?, waiting_until = ?, "
                           "troubled_since = ?, finished = ?, files_done = ?, files_total = ?, "
                           "bytes_done = ?, bytes_total = ?, failure = ?, message = ?, hint = ?, "
                           "token = ? WHERE id = ?"},
          select{database, "INSERT INTO selection (job, list, position, text) VALUES (?, ?, ?, ?)"},
          selected{database,
                   "SELECT list, text FROM selection WHERE job = ? ORDER BY list, position"},
          unfinished{database, select_jobs("WHERE finished IS NULL ORDER BY id")},
          find{database, select_jobs("WHERE id = ?")},
          page{database, select_jobs("WHERE id < ? ORDER BY id DESC LIMIT ?")},
          page_of{database, select_jobs("WHERE uid = ? AND id < ? ORDER BY id DESC LIMIT ?")},
          too_old{database, "SELECT id FROM job WHERE finished < ?"},
          too_many{database, "SELECT id FROM job WHERE finished IS NOT NULL "
                             "ORDER BY id DESC LIMIT -1 OFFSET ?"},
          unselect{database, "DELETE FROM selection WHERE job = ?"},
          remove{database, "DELETE FROM job WHERE id = ?"},
          last_id{database, "SELECT seq FROM sqlite_sequence WHERE name = 'job'"},
          pushes{database} {}

    sqlite::Statement insert;
    sqlite::Statement update;
    sqlite::Statement select;
    sqlite::Statement selected;
    sqlite::Statement unfinished;
    sqlite::Statement find;
    sqlite::Statement page;
    sqlite::Statement page_of;
    sqlite::Statement too_old;
    sqlite::Statement too_many;
    sqlite::Statement unselect;
    sqlite::Statement remove;
    sqlite::Statement last_id;
    PushRows pushes;

    void add(const JobRecord& record);
    void change(const JobRecord& record);
};

namespace {

/// A failure as three columns.
struct FailureColumns {
    explicit FailureColumns(const std::optional<Error>& failure) {
        if (failure) {
            kind = name(failure->kind());
            message = failure->message();
            hint = failure->hint();
        }
    }
    std::optional<std::string_view> kind;
    std::optional<std::string_view> message;
    std::optional<std::string_view> hint;
};

std::optional<std::span<const std::byte>> to_blob(const std::string& bytes) {
    return bytes.empty() ? std::nullopt
                         : std::optional{std::as_bytes(std::span{bytes.data(), bytes.size()})};
}

} // namespace

void JobRows::Statements::add(const JobRecord& record) {
    const auto& order = record.order;
    const auto& counts = record.counts;
    const DownloadOrder& download = download_of(order);
    const FailureColumns failure{record.failure};
    insert.run(record.id, order.uid, hub::name(order.repo.type), order.repo.name, order.revision,
               to_column(order.commit), to_column_or_null(download.ref_before), download.force,
               jobs::name(record.priority), record.detached, record.held, jobs::name(record.state),
               record.reason, to_column(record.waiting_until), to_column(record.created),
               to_column(record.troubled_since), to_column(record.finished), counts.files_done,
               counts.files_total, counts.bytes_done, counts.bytes_total, failure.kind,
               failure.message, failure.hint, to_blob(record.sealed_token),
               order.is_push() ? commit_kind : download_kind);
    if (order.is_push()) {
        pushes.add(record.id, order.push());
        return;
    }
    const auto keep = [&](std::string_view list, const std::vector<std::string>& texts) {
        std::int64_t position = 0;
        for (const auto& text : texts) {
            select.run(record.id, list, position++, text);
        }
    };
    keep("files", download.filter.files);
    keep("include", download.filter.include);
    keep("exclude", download.filter.exclude);
}

void JobRows::Statements::change(const JobRecord& record) {
    const auto& counts = record.counts;
    const FailureColumns failure{record.failure};
    update.run(to_column(record.order.commit),
               to_column_or_null(download_of(record.order).ref_before), jobs::name(record.priority),
               record.detached, record.held, jobs::name(record.state), record.reason,
               to_column(record.waiting_until), to_column(record.troubled_since),
               to_column(record.finished), counts.files_done, counts.files_total, counts.bytes_done,
               counts.bytes_total, failure.kind, failure.message, failure.hint,
               to_blob(record.sealed_token), record.id);
    if (record.order.is_push()) {
        pushes.change(record.id, record.order.push().outcome);
    }
}

JobRows::JobRows(const std::filesystem::path& file) : database_{file} {
    database_.check();
    database_.migrate(job_schema);
    statements_ = std::make_unique<Statements>(database_);
}

JobRows::~JobRows() = default;

void JobRows::save(std::span<const Change> changes, Durability durability) {
    // FULL flushes the log at the commit, and with it all that was committed before.
    database_.execute(durability == Durability::power ? "PRAGMA synchronous = FULL"
                                                      : "PRAGMA synchronous = NORMAL");
    sqlite::Transaction transaction{database_, sqlite::Transaction::Kind::write};
    for (const auto& change : changes) {
        if (change.is_new) {
            statements_->add(change.record);
        } else {
            statements_->change(change.record);
        }
    }
    transaction.commit();
}

std::vector<JobRecord> JobRows::unfinished() {
    std::vector<JobRecord> records;
    for (const sqlite::Row row : statements_->unfinished.use()) {
        records.push_back(record_from(row));
    }
    for (auto& record : records) {
        read_what(record);
    }
    return records;
}

std::vector<JobRecord> JobRows::page(std::optional<uid_t> uid, std::uint64_t before,
                                     std::size_t limit) {
    constexpr auto greatest = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    before = std::min(before, greatest);
    std::vector<JobRecord> records;
    auto rows =
        uid ? statements_->page_of.use(*uid, before, limit) : statements_->page.use(before, limit);
    for (const sqlite::Row row : rows) {
        records.push_back(record_from(row));
    }
    for (auto& record : records) {
        if (record.order.is_push()) { // a filter may be long, and is not shown in lists
            read_what(record);
        }
    }
    return records;
}

std::optional<JobRecord> JobRows::find(std::uint64_t id) {
    std::optional<JobRecord> record;
    for (const sqlite::Row row : statements_->find.use(id)) {
        record = record_from(row);
    }
    if (record) {
        read_what(*record);
    }
    return record;
}

void JobRows::read_what(JobRecord& record) {
    if (record.order.is_push()) {
        statements_->pushes.read(record.id, record.order.push());
        return;
    }
    auto& filter = record.order.download().filter;
    for (const sqlite::Row row : statements_->selected.use(record.id)) {
        const auto list = row.text(0);
        auto& texts = list == "files"     ? filter.files
                      : list == "include" ? filter.include
                                          : filter.exclude;
        texts.emplace_back(row.text(1));
    }
}

std::vector<std::uint64_t> JobRows::uploads() {
    return statements_->pushes.uploads();
}

std::size_t JobRows::trim(WallClock::time_point oldest, std::size_t most) {
    sqlite::Transaction transaction{database_, sqlite::Transaction::Kind::write};
    std::vector<std::int64_t> ids;
    for (const sqlite::Row row : statements_->too_old.use(to_column(oldest))) {
        ids.push_back(row.integer(0));
    }
    for (const sqlite::Row row : statements_->too_many.use(most)) {
        ids.push_back(row.integer(0));
    }
    std::ranges::sort(ids);
    const auto twice = std::ranges::unique(ids);
    ids.erase(twice.begin(), twice.end());
    for (const auto id : ids) {
        statements_->unselect.run(id);
        statements_->pushes.remove(id);
        statements_->remove.run(id);
    }
    transaction.commit();
    return ids.size();
}

std::uint64_t JobRows::last_id() {
    std::uint64_t last = 0;
    for (const sqlite::Row row : statements_->last_id.use()) {
        last = static_cast<std::uint64_t>(row.integer(0));
    }
    return last;
}

std::unique_ptr<JobRows> open_job_rows(const std::filesystem::path& file) {
    try {
        return std::make_unique<JobRows>(file);
    } catch (const sqlite::Damaged& damage) {
        log::error("jobs", "{}", damage.message());
    }
    log::error("jobs", "the queue was damaged: kept as {}; jobs must be asked for again",
               sqlite::move_aside(file).native());
    return std::make_unique<JobRows>(file);
}

} // namespace wharf::jobs
