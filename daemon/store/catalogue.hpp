#pragma once

#include "daemon/sqlite/database.hpp"
#include "daemon/sqlite/statement.hpp"
#include "daemon/sqlite/transaction.hpp"
#include "daemon/store/directory.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wharf::store {

/// Knows which blob is in which repo folders and which of these files had the right content when
/// last looked at. It only remembers: whether a file is still there, and still looks the same, is
/// asked of the disk each time. Everything but the checks can be made again from the disk. One
/// thread. Throws storage Errors and sqlite::Damaged.
class Catalogue {
  public:
    /// `home_device` is the cache folder's: kept as 0, because device numbers may change with a
    /// reboot and nothing that was checked should have to be checked again for that.
    Catalogue(const std::filesystem::path& file, std::uint64_t home_device);

    /// One file that should have the bytes of a blob.
    struct Holding {
        std::string folder;
        std::optional<Stamp> verified; ///< how the file looked when its content was right
    };

    /// Files of that name in all repos. Requires: is_blob_name(etag), as everywhere here.
    std::vector<Holding> holdings(std::string_view etag);

    /// Where a blob is.
    struct Place {
        std::string etag;
        std::string folder;
    };

    /// The blobs whose verified file looked like this.
    std::vector<Place> verified_as(const Stamp& stamp);

    /// The file is there and was checked.
    void record_verified(std::string_view etag, const std::string& folder, const Stamp& stamp);

    /// The file is there; what is known about it stays.
    void record_present(std::string_view etag, const std::string& folder);

    void forget(std::string_view etag, const std::string& folder);

    /// The blobs/ folder's mtime when it was last listed; 0 if it never was.
    std::int64_t scanned(const std::string& folder);
    void set_scanned(const std::string& folder, std::int64_t mtime_ns);

    sqlite::Transaction begin(sqlite::Transaction::Kind kind);

  private:
    std::int64_t repo_id(const std::string& folder);
    std::int64_t device_column(std::uint64_t device) const noexcept;

    std::uint64_t home_device_;
    sqlite::Database database_;

    struct Statements;
    struct Delete {
        void operator()(Statements* statements) const noexcept;
    };
    std::unique_ptr<Statements, Delete> statements_;
};

/// Opens the catalogue of a cache. A damaged file is moved aside (`.broken-<time>`) and a new one
/// begun; adopt() fills it again.
std::unique_ptr<Catalogue> open_catalogue(const std::filesystem::path& file,
                                          std::uint64_t home_device);

/// Notes all blobs on disk that the catalogue does not know yet. Repos whose blobs/ folder has not
/// changed since the last time are passed over.
void adopt(const Directory& cache, Catalogue& catalogue);

} // namespace wharf::store
