#include "daemon/store/catalogue.hpp"

#include "base/digest.hpp"
#include "base/log.hpp"
#include "daemon/sqlite/move_aside.hpp"
#include "daemon/store/schema.hpp"

#include <fmt/format.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <iterator>
#include <span>

namespace wharf::store {

namespace {

/// The etag's bytes: half the size of the text, for the key of every row.
class BinaryHash {
  public:
    explicit BinaryHash(std::string_view etag) : size_{etag.size() / 2} {
        assert(is_blob_name(etag));
        for (std::size_t i = 0; i < size_; ++i) {
            bytes_[i] = static_cast<std::byte>(digit(etag[2 * i]) << 4 | digit(etag[2 * i + 1]));
        }
    }
    operator std::span<const std::byte>() const noexcept { return std::span{bytes_}.first(size_); }

  private:
    static int digit(char c) noexcept { return c <= '9' ? c - '0' : c - 'a' + 10; }

    std::array<std::byte, 32> bytes_{};
    std::size_t size_;
};

std::string to_hex(std::span<const std::byte> hash) {
    std::string text;
    for (const auto byte : hash) {
        fmt::format_to(std::back_inserter(text), "{:02x}", static_cast<unsigned>(byte));
    }
    return text;
}

/// SQLite's integers are signed; ours keep their bits.
std::int64_t to_column(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}
std::uint64_t from_column(std::int64_t value) {
    return static_cast<std::uint64_t>(value);
}

} // namespace

struct Catalogue::Statements {
    explicit Statements(sqlite::Database& database)
        : holdings{database, "SELECT folder, device, inode, size, mtime_ns FROM blob "
                             "JOIN repo ON repo.id = blob.repo WHERE hash = ?"},
          verified_as{database, "SELECT hash, folder FROM blob JOIN repo ON repo.id = blob.repo "
                                "WHERE inode = ? AND device = ? AND size = ? AND mtime_ns = ?"},
          record_verified{database, "INSERT INTO blob (hash, repo, device, inode, size, mtime_ns) "
                                    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                                    "device = excluded.device, inode = excluded.inode, "
                                    "size = excluded.size, mtime_ns = excluded.mtime_ns"},
          record_present{database, "INSERT OR IGNORE INTO blob (hash, repo) VALUES (?, ?)"},
          forget{database, "DELETE FROM blob WHERE hash = ? AND "
                           "repo = (SELECT id FROM repo WHERE folder = ?)"},
          repo{database, "SELECT id, scanned_ns FROM repo WHERE folder = ?"},
          add_repo{database, "INSERT INTO repo (folder, scanned_ns) VALUES (?, 0)"},
          set_scanned{database, "UPDATE repo SET scanned_ns = ? WHERE id = ?"} {}

    sqlite::Statement holdings;
    sqlite::Statement verified_as;
    sqlite::Statement record_verified;
    sqlite::Statement record_present;
    sqlite::Statement forget;
    sqlite::Statement repo;
    sqlite::Statement add_repo;
    sqlite::Statement set_scanned;
};

void Catalogue::Delete::operator()(Statements* statements) const noexcept {
    delete statements;
}

Catalogue::Catalogue(const std::filesystem::path& file, std::uint64_t home_device)
    : home_device_{home_device}, database_{file} {
    database_.check();
    database_.migrate(catalogue_schema);
    statements_.reset(new Statements{database_});
}

std::vector<Catalogue::Holding> Catalogue::holdings(std::string_view etag) {
    std::vector<Holding> found;
    const BinaryHash hash{etag};
    for (const sqlite::Row row : statements_->holdings.use(std::span<const std::byte>{hash})) {
        auto& holding =
            found.emplace_back(Holding{.folder = std::string{row.text(0)}, .verified = {}});
        if (!row.is_null(2)) {
            const auto device = from_column(row.integer(1));
            holding.verified = Stamp{.device = device == 0 ? home_device_ : device,
                                     .inode = from_column(row.integer(2)),
                                     .size = from_column(row.integer(3)),
                                     .mtime_ns = row.integer(4)};
        }
    }
    return found;
}

std::vector<Catalogue::Place> Catalogue::verified_as(const Stamp& stamp) {
    std::vector<Place> found;
    for (const sqlite::Row row :
         statements_->verified_as.use(to_column(stamp.inode), device_column(stamp.device),
                                      to_column(stamp.size), stamp.mtime_ns)) {
        found.push_back({to_hex(row.blob(0)), std::string{row.text(1)}});
    }
    return found;
}

std::int64_t Catalogue::device_column(std::uint64_t device) const noexcept {
    return device == home_device_ ? 0 : to_column(device);
}

void Catalogue::record_verified(std::string_view etag, const std::string& folder,
                                const Stamp& stamp) {
    const auto repo = repo_id(folder);
    statements_->record_verified.run(std::span<const std::byte>{BinaryHash{etag}}, repo,
                                     device_column(stamp.device), to_column(stamp.inode),
                                     to_column(stamp.size), stamp.mtime_ns);
}

void Catalogue::record_present(std::string_view etag, const std::string& folder) {
    const auto repo = repo_id(folder);
    statements_->record_present.run(std::span<const std::byte>{BinaryHash{etag}}, repo);
}

void Catalogue::forget(std::string_view etag, const std::string& folder) {
    statements_->forget.run(std::span<const std::byte>{BinaryHash{etag}}, folder);
}

std::int64_t Catalogue::repo_id(const std::string& folder) {
    for (const sqlite::Row row : statements_->repo.use(folder)) {
        return row.integer(0);
    }
    statements_->add_repo.run(folder);
    return repo_id(folder);
}

std::int64_t Catalogue::scanned(const std::string& folder) {
    for (const sqlite::Row row : statements_->repo.use(folder)) {
        return row.integer(1);
    }
    return 0;
}

void Catalogue::set_scanned(const std::string& folder, std::int64_t mtime_ns) {
    const auto repo = repo_id(folder);
    statements_->set_scanned.run(mtime_ns, repo);
}

sqlite::Transaction Catalogue::begin(sqlite::Transaction::Kind kind) {
    return sqlite::Transaction{database_, kind};
}

std::unique_ptr<Catalogue> open_catalogue(const std::filesystem::path& file,
                                          std::uint64_t home_device) {
    try {
        return std::make_unique<Catalogue>(file, home_device);
    } catch (const sqlite::Damaged& damage) {
        log::error("store", "{}", damage.message());
    }
    log::warning("store", "the catalogue was damaged: kept as {}, made again from the cache",
                 sqlite::move_aside(file).native());
    return std::make_unique<Catalogue>(file, home_device);
}

} // namespace wharf::store
