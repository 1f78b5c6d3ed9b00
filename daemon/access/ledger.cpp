// What an account has is kept as sums of bytes by the number of carriers (table load), so that a
// share changes by exact whole numbers when somebody joins or leaves: the bytes move from one sum
// to the next, for each of those who carry the blob. A Change gathers these moves for thousands of
// blobs and writes the sums once.
#include "daemon/access/ledger.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "daemon/access/quota_schema.hpp"
#include "daemon/sqlite/move_aside.hpp"
#include "daemon/sqlite/statement.hpp"
#include "daemon/sqlite/transaction.hpp"

#include <algorithm>
#include <cassert>
#include <map>

namespace wharf::access {

namespace {

int digit(char c) noexcept {
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

std::string hex(std::span<const std::byte> bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const auto byte : bytes) {
        text.push_back(digits[std::to_integer<std::size_t>(byte >> 4)]);
        text.push_back(digits[std::to_integer<std::size_t>(byte & std::byte{15})]);
    }
    return text;
}

} // namespace

BlobSize::BlobSize(std::string_view etag, std::uint64_t size)
    : length_{static_cast<std::uint8_t>(etag.size() / 2)}, size_{size} {
    assert(is_blob_name(etag));
    for (std::size_t i = 0; i < length_; ++i) {
        hash_[i] = static_cast<std::byte>(digit(etag[2 * i]) << 4 | digit(etag[2 * i + 1]));
    }
}

BlobSizes blob_sizes(std::span<const hub::TreeEntry> files) {
    BlobSizes blobs;
    blobs.reserve(files.size());
    for (const auto& file : files) {
        blobs.emplace_back(file.etag(), file.size);
    }
    return blobs;
}

struct Ledger::Statements {
    explicit Statements(sqlite::Database& database)
        : repo{database, "SELECT id FROM repo WHERE type = ? AND name = ?"},
          add_repo{database, "INSERT INTO repo (type, name) VALUES (?, ?)"},
          blob{database, "SELECT id, size, carriers FROM blob WHERE hash = ?"},
          blob_by_id{database, "SELECT size, carriers FROM blob WHERE id = ?"},
          add_blob{database, "INSERT INTO blob (hash, size, carriers) VALUES (?, ?, 0)"},
          set_carriers{database, "UPDATE blob SET carriers = ? WHERE id = ?"},
          remove_blob{database, "DELETE FROM blob WHERE id = ?"},
          carriers{database, "SELECT DISTINCT uid FROM share WHERE blob = ?"},
          carries{database, "SELECT 1 FROM share WHERE uid = ? AND blob = ? LIMIT 1"},
          add_share{database, "INSERT OR IGNORE INTO share (uid, blob, repo) VALUES (?, ?, ?)"},
          remove_share{database, "DELETE FROM share WHERE uid = ? AND blob = ? AND repo = ?"},
          shares_of_repo{database, "SELECT blob FROM share WHERE uid = ? AND repo = ?"},
          shares_of_blob{database, "SELECT uid, repo.type, repo.name, repo.id FROM share "
                                   "JOIN repo ON repo.id = share.repo WHERE blob = ?"},
          add_load{database, "INSERT INTO load (uid, carriers, bytes) VALUES (?, ?, ?) "
                             "ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes"},
          drop_empty{database, "DELETE FROM load WHERE bytes = 0"},
          load{database, "SELECT coalesce(sum(bytes / carriers), 0) FROM load WHERE uid = ?"},
          loads{database, "SELECT uid, sum(bytes / carriers) FROM load GROUP BY uid ORDER BY uid"},
          repos{database, "SELECT repo.type, repo.name, sum(blob.size / blob.carriers) AS bytes "
                          "FROM share JOIN blob ON blob.id = share.blob "
                          "JOIN repo ON repo.id = share.repo WHERE uid = ? "
                          "GROUP BY repo.id ORDER BY bytes DESC, repo.name LIMIT ?"},
          all_blobs{database, "SELECT id, hash FROM blob WHERE id > ? ORDER BY id LIMIT ?"},
          blobs_of{database, "SELECT DISTINCT blob.id, hash FROM share "
                             "JOIN blob ON blob.id = share.blob "
                             "WHERE uid = ? AND share.blob > ? ORDER BY share.blob LIMIT ?"} {}

    sqlite::Statement repo;
    sqlite::Statement add_repo;
    sqlite::Statement blob;
    sqlite::Statement blob_by_id;
    sqlite::Statement add_blob;
    sqlite::Statement set_carriers;
    sqlite::Statement remove_blob;
    sqlite::Statement carriers;
    sqlite::Statement carries;
    sqlite::Statement add_share;
    sqlite::Statement remove_share;
    sqlite::Statement shares_of_repo;
    sqlite::Statement shares_of_blob;
    sqlite::Statement add_load;
    sqlite::Statement drop_empty;
    sqlite::Statement load;
    sqlite::Statement loads;
    sqlite::Statement repos;
    sqlite::Statement all_blobs;
    sqlite::Statement blobs_of;
};

/// One transaction of joining and leaving.
class Ledger::Change {
  public:
    explicit Change(Ledger& ledger)
        : sql_{*ledger.statements_},
          transaction_{ledger.database_, sqlite::Transaction::Kind::write} {}

    std::optional<std::int64_t> find(const hub::RepoId& repo) {
        for (const sqlite::Row row : sql_.repo.use(hub::name(repo.type), repo.name)) {
            return row.integer(0);
        }
        return std::nullopt;
    }

    std::int64_t find_or_add(const hub::RepoId& repo) {
        if (!find(repo)) {
            sql_.add_repo.run(hub::name(repo.type), repo.name);
        }
        return find(repo).value();
    }

    /// The account's share of a blob that it did not carry before; 0 if it did.
    std::uint64_t join(uid_t uid, const BlobSize& wanted, std::int64_t repo) {
        const Blob blob = find(wanted);
        bool is_new = true;
        for ([[maybe_unused]] const sqlite::Row row : sql_.carries.use(uid, blob.id)) {
            is_new = false;
        }
        if (is_new) {
            move_others(blob, blob.carriers + 1);
            sql_.set_carriers.run(blob.carriers + 1, blob.id);
            moves_[{uid, blob.carriers + 1}] += blob.size;
        }
        sql_.add_share.run(uid, blob.id, repo);
        return is_new ? static_cast<std::uint64_t>(blob.size / (blob.carriers + 1)) : 0;
    }

    void leave(uid_t uid, std::int64_t id, std::int64_t repo) {
        sql_.remove_share.run(uid, id, repo);
        for ([[maybe_unused]] const sqlite::Row row : sql_.carries.use(uid, id)) {
            return; // for the sake of another repo
        }
        const Blob blob = find(id);
        moves_[{uid, blob.carriers}] -= blob.size;
        if (blob.carriers == 1) {
            sql_.remove_blob.run(id);
        } else {
            move_others(blob, blob.carriers - 1);
            sql_.set_carriers.run(blob.carriers - 1, id);
        }
    }

    void commit() {
        for (const auto& [place, bytes] : moves_) {
            if (bytes != 0) {
                sql_.add_load.run(place.first, place.second, bytes);
            }
        }
        sql_.drop_empty.run();
        transaction_.commit();
    }

  private:
    struct Blob {
        std::int64_t id = 0;
        std::int64_t size = 0;
        std::int64_t carriers = 0;
    };

    Blob find(const BlobSize& wanted) {
        for (const sqlite::Row row : sql_.blob.use(wanted.hash())) {
            return {row.integer(0), row.integer(1), row.integer(2)};
        }
        sql_.add_blob.run(wanted.hash(), wanted.size());
        return find(wanted);
    }

    Blob find(std::int64_t id) {
        Blob blob{.id = id};
        for (const sqlite::Row row : sql_.blob_by_id.use(id)) {
            blob.size = row.integer(0);
            blob.carriers = row.integer(1);
        }
        return blob;
    }

    /// Those who carry the blob now will be so many.
    void move_others(const Blob& blob, std::int64_t carriers) {
        for (const sqlite::Row row : sql_.carriers.use(blob.id)) {
            const auto uid = static_cast<uid_t>(row.integer(0));
            moves_[{uid, blob.carriers}] -= blob.size;
            moves_[{uid, carriers}] += blob.size;
        }
    }

    Statements& sql_;
    std::map<std::pair<uid_t, std::int64_t>, std::int64_t> moves_; ///< by account and carriers
    sqlite::Transaction transaction_;
};

Ledger::Ledger(const std::filesystem::path& file) : database_{file} {
    database_.check();
    database_.migrate(quota_schema);
    statements_ = std::make_unique<Statements>(database_);
}

Ledger::~Ledger() = default;

Ledger::Outcome Ledger::carry(const Asked& asked, std::span<const BlobSize> blobs,
                              std::optional<std::uint64_t> limit) {
    Outcome outcome{.fits = true, .used = used_by(asked.first), .needed = 0};
    Change change{*this};
    const auto repo = change.find_or_add(asked.second);
    for (const auto& blob : blobs) {
        outcome.needed += change.join(asked.first, blob, repo);
    }
    outcome.fits = !limit || outcome.needed == 0 || outcome.used + outcome.needed <= *limit;
    if (outcome.fits) {
        change.commit();
    }
    return outcome;
}

std::uint64_t Ledger::release(const Asked& asked) {
    const auto before = used_by(asked.first);
    Change change{*this};
    const auto repo = change.find(asked.second);
    if (!repo) { // so nobody can fill the books with names
        return 0;
    }
    std::vector<std::int64_t> blobs;
    for (const sqlite::Row row : statements_->shares_of_repo.use(asked.first, *repo)) {
        blobs.push_back(row.integer(0));
    }
    for (const auto blob : blobs) {
        change.leave(asked.first, blob, *repo);
    }
    change.commit();
    return before - used_by(asked.first);
}

void Ledger::forget(std::span<const std::int64_t> blobs, const std::set<Asked>& expected) {
    struct Share {
        uid_t uid;
        std::int64_t blob;
        std::int64_t repo;
    };
    std::vector<Share> shares;
    Change change{*this};
    for (const auto blob : blobs) {
        for (const sqlite::Row row : statements_->shares_of_blob.use(blob)) {
            const auto uid = static_cast<uid_t>(row.integer(0));
            const hub::RepoId repo{hub::repo_type_from(row.text(1)).value_or(hub::RepoType::model),
                                   std::string{row.text(2)}};
            if (!expected.contains({uid, repo})) {
                shares.push_back({uid, blob, row.integer(3)});
            }
        }
    }
    for (const auto& share : shares) {
        change.leave(share.uid, share.blob, share.repo);
    }
    change.commit();
}

std::uint64_t Ledger::used_by(uid_t uid) {
    std::uint64_t bytes = 0;
    for (const sqlite::Row row : statements_->load.use(uid)) {
        bytes = static_cast<std::uint64_t>(row.integer(0));
    }
    return bytes;
}

std::vector<std::pair<uid_t, std::uint64_t>> Ledger::accounts() {
    std::vector<std::pair<uid_t, std::uint64_t>> accounts;
    for (const sqlite::Row row : statements_->loads.use()) {
        accounts.emplace_back(static_cast<uid_t>(row.integer(0)),
                              static_cast<std::uint64_t>(row.integer(1)));
    }
    return accounts;
}

std::vector<std::pair<hub::RepoId, std::uint64_t>> Ledger::repos_of(uid_t uid, std::size_t most) {
    std::vector<std::pair<hub::RepoId, std::uint64_t>> repos;
    for (const sqlite::Row row : statements_->repos.use(uid, most)) {
        repos.emplace_back(
            hub::RepoId{hub::repo_type_from(row.text(0)).value_or(hub::RepoType::model),
                        std::string{row.text(1)}},
            static_cast<std::uint64_t>(row.integer(2)));
    }
    return repos;
}

std::vector<Ledger::Numbered> Ledger::blobs_after(std::int64_t number, std::optional<uid_t> uid,
                                                  std::size_t most) {
    std::vector<Numbered> blobs;
    auto rows = uid ? statements_->blobs_of.use(*uid, number, most)
                    : statements_->all_blobs.use(number, most);
    for (const sqlite::Row row : rows) {
        blobs.emplace_back(row.integer(0), hex(row.blob(1)));
    }
    return blobs;
}

std::unique_ptr<Ledger> open_ledger(const std::filesystem::path& file) {
    try {
        return std::make_unique<Ledger>(file);
    } catch (const sqlite::Damaged& damage) {
        log::error("access", "{}", damage.message());
    }
    log::error("access", "the books of the quotas were damaged: kept as {}; everybody begins anew",
               sqlite::move_aside(file).native());
    return std::make_unique<Ledger>(file);
}

} // namespace wharf::access
