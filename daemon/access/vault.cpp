#include "daemon/access/vault.hpp"

#include "base/log.hpp"
#include "daemon/sqlite/database.hpp"
#include "daemon/sqlite/move_aside.hpp"
#include "daemon/sqlite/statement.hpp"

#include <fmt/format.h>

#include <array>
#include <functional>
#include <utility>

namespace wharf::access {

namespace {

using std::chrono::system_clock;

/// The schema of tokens.db, one step per version; see sqlite::Database::migrate(). A step that was
/// released is never changed: add the next one.
constexpr std::array<std::string_view, 1> schema{// Version 1.
                                                 R"sql(
CREATE TABLE token (
    uid      INTEGER PRIMARY KEY,  -- whose it is on this machine
    endpoint TEXT    NOT NULL,     -- the Hub that knows it
    user     TEXT    NOT NULL,     -- its owner's name there
    name     TEXT    NOT NULL,     -- what its owner called it
    role     TEXT    NOT NULL,
    stored   INTEGER NOT NULL,     -- seconds since 1970 in UTC
    sealed   BLOB    NOT NULL      -- access::Sealer, for "<uid> <endpoint>"
) WITHOUT ROWID;
)sql"};

std::int64_t to_column(system_clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::span<const std::byte> to_column(const std::string& bytes) {
    return std::as_bytes(std::span{bytes.data(), bytes.size()});
}

} // namespace

/// The file. One thread at a time.
class Vault::Rows {
  public:
    explicit Rows(const std::filesystem::path& file) : database_{file} {
        database_.check();
        database_.migrate(schema);
        database_.execute("PRAGMA synchronous = FULL"); // who was told so is logged in
        database_.execute("PRAGMA secure_delete = ON");
    }

    using Reader = std::function<void(StoredToken about, std::string endpoint, std::string sealed)>;

    void read(const Reader& reader) {
        sqlite::Statement all{database_, "SELECT uid, endpoint, user, name, role, stored, sealed "
                                         "FROM token"};
        for (const sqlite::Row row : all.use()) {
            const auto sealed = row.blob(6);
            reader({.uid = static_cast<uid_t>(row.integer(0)),
                    .user = std::string{row.text(2)},
                    .name = std::string{row.text(3)},
                    .role = std::string{row.text(4)},
                    .stored = system_clock::time_point{std::chrono::seconds{row.integer(5)}}},
                   std::string{row.text(1)},
                   {reinterpret_cast<const char*>(sealed.data()), sealed.size()});
        }
    }

    void store(const StoredToken& about, const std::string& endpoint, const std::string& sealed) {
        sqlite::Statement replace{database_,
                                  "REPLACE INTO token (uid, endpoint, user, name, role, stored, "
                                  "sealed) VALUES (?, ?, ?, ?, ?, ?, ?)"};
        replace.run(about.uid, endpoint, about.user, about.name, about.role,
                    to_column(about.stored), to_column(sealed));
        empty_log();
    }

    void remove(uid_t uid) {
        sqlite::Statement{database_, "DELETE FROM token WHERE uid = ?"}.run(uid);
        empty_log();
    }

  private:
    /// What was replaced or removed shall not stay behind in the write-ahead log. Where that fails,
    /// the next time does it: the change itself is made.
    void empty_log() {
        try {
            database_.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        } catch (const Error& error) {
            log::warning("access", "{}", error.message());
        }
    }

    sqlite::Database database_;
};

Vault::Vault(const std::filesystem::path& file, std::string endpoint, const Sealer& sealer)
    : endpoint_{std::move(endpoint)}, sealer_{sealer} {
    try {
        rows_ = std::make_unique<Rows>(file);
    } catch (const sqlite::Damaged& damage) {
        log::error("access", "{}", damage.message());
    }
    if (!rows_) {
        log::error("access",
                   "the stored tokens were damaged: kept as {}; everybody must log in "
                   "again",
                   sqlite::move_aside(file).native());
        rows_ = std::make_unique<Rows>(file);
    }
    rows_->read([this](StoredToken about, const std::string& of, const std::string& sealed) {
        take_up(std::move(about), of, sealed);
    });
}

Vault::~Vault() = default;

void Vault::take_up(StoredToken about, const std::string& endpoint, std::string_view sealed) {
    Entry entry{std::move(about), {}};
    const uid_t uid = entry.about.uid;
    if (endpoint != endpoint_) {
        entry.about.fault = "it was stored for another Hub than this machine asks now";
    } else if (auto opened = sealer_.open(sealed, purpose(uid))) {
        entry.token = hub::Token{*std::move(opened)};
    } else {
        entry.about.fault = "this machine's key has changed since it was stored";
    }
    if (!entry.about.fault.empty()) {
        log::warning("access", "the stored token of uid {} cannot be used: {}", uid,
                     entry.about.fault);
    }
    entries_.insert_or_assign(uid, std::move(entry));
}

/// What a sealed token belongs to: it opens for this account and this Hub only.
std::string Vault::purpose(uid_t uid) const {
    return fmt::format("{} {}", uid, endpoint_);
}

hub::Token Vault::token_of(uid_t uid) const {
    const auto found = entries_.find(uid);
    return found == entries_.end() ? hub::Token{} : found->second.token;
}

Result<hub::Token> Vault::usable_token_of(uid_t uid) const {
    if (const auto found = entries_.find(uid);
        found != entries_.end() && found->second.token.empty()) {
        return Error{
            ErrorKind::unauthorized,
            fmt::format("your stored token cannot be used: {}", found->second.about.fault),
            "log in again with `wharf auth login`, or do without it after `wharf auth logout`"};
    }
    return token_of(uid);
}

std::optional<StoredToken> Vault::find(uid_t uid) const {
    const auto found = entries_.find(uid);
    return found == entries_.end() ? std::nullopt : std::optional{found->second.about};
}

std::vector<StoredToken> Vault::list() const {
    std::vector<StoredToken> all;
    for (const auto& [uid, entry] : entries_) {
        all.push_back(entry.about);
    }
    return all;
}

Awaitable<> Vault::store(StoredToken about, hub::Token token) {
    const std::string sealed = sealer_.seal(token.reveal(), purpose(about.uid));
    co_await disk_.run([&] { rows_->store(about, endpoint_, sealed); });
    const uid_t uid = about.uid;
    entries_.insert_or_assign(uid, Entry{std::move(about), std::move(token)});
}

Awaitable<bool> Vault::forget(uid_t uid) {
    co_await disk_.run([&] { rows_->remove(uid); });
    co_return entries_.erase(uid) > 0;
}

} // namespace wharf::access
