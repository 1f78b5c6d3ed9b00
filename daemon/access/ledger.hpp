#pragma once

#include "daemon/hub/types.hpp"
#include "daemon/sqlite/database.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace wharf::access {

/// A blob and its size; without an allocation, because there may be 100,000 in a repo.
class BlobSize {
  public:
    /// Requires: is_blob_name(etag).
    BlobSize(std::string_view etag, std::uint64_t size);

    std::span<const std::byte> hash() const noexcept { return std::span{hash_}.first(length_); }
    std::uint64_t size() const noexcept { return size_; }

  private:
    std::array<std::byte, 32> hash_{};
    std::uint8_t length_;
    std::uint64_t size_;
};
using BlobSizes = std::vector<BlobSize>;

/// The blobs of these files; one that is there under several paths comes several times.
BlobSizes blob_sizes(std::span<const hub::TreeEntry> files);

/// Who asked for which repos, in numbers. A pair stands for all that the account has of the repo.
using Asked = std::pair<uid_t, hub::RepoId>;

/// Which accounts carry which blobs, and for the sake of which repos: the file quota.db. The cost
/// of a blob is shared equally by those who carry it. One thread. Throws storage Errors and
/// sqlite::Damaged.
class Ledger {
  public:
    explicit Ledger(const std::filesystem::path& file);
    ~Ledger();

    /// What came of a request for blobs.
    struct Outcome {
        bool fits = true;
        std::uint64_t used = 0;   ///< bytes of the account before
        std::uint64_t needed = 0; ///< its share of what it does not carry yet
    };

    /// Puts the blobs on the account, if `limit` allows it: all or nothing. What it carries already
    /// costs nothing more, so asking again always fits.
    Outcome carry(const Asked& asked, std::span<const BlobSize> blobs,
                  std::optional<std::uint64_t> limit);

    /// The account carries nothing any more for the sake of that repo. How many bytes fewer are
    /// attributed to it now.
    std::uint64_t release(const Asked& asked);

    std::uint64_t used_by(uid_t uid);

    /// Everybody who carries something, with the bytes.
    std::vector<std::pair<uid_t, std::uint64_t>> accounts();

    /// The account's repos with its share of them, the largest first; a blob that it has in two of
    /// them counts in both.
    std::vector<std::pair<hub::RepoId, std::uint64_t>> repos_of(uid_t uid, std::size_t most);

    /// A blob by its number here and its etag.
    using Numbered = std::pair<std::int64_t, std::string>;

    /// The next blobs in the order of their numbers, of one account or of all.
    std::vector<Numbered> blobs_after(std::int64_t number, std::optional<uid_t> uid,
                                      std::size_t most);

    /// Nobody carries these any more, except those who are about to have them.
    void forget(std::span<const std::int64_t> blobs, const std::set<Asked>& expected);

  private:
    struct Statements;
    class Change;

    sqlite::Database database_;
    std::unique_ptr<Statements> statements_;
};

/// Opens or makes the file. A damaged one is moved aside, and everybody begins with nothing.
std::unique_ptr<Ledger> open_ledger(const std::filesystem::path& file);

} // namespace wharf::access
