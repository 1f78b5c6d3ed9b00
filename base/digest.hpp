#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace wharf {

/// Computes the hash by which the Hub names a blob. Feed the content in order, then take the name.
class BlobHasher {
  public:
    /// The hash that `etag` is: 64 hex digits are the sha256 of the content, 40 are git's blob id,
    /// sha1("blob <size>\0" + content). Requires: `etag` passed `is_blob_name`.
    BlobHasher(std::string_view etag, std::uint64_t size);
    BlobHasher(BlobHasher&&) noexcept;
    BlobHasher& operator=(BlobHasher&&) noexcept;
    ~BlobHasher();

    void update(std::span<const std::byte> data);

    /// Lower-case hex digits. Ends this hasher's use.
    std::string finish();

  private:
    struct Context;
    std::unique_ptr<Context> context_;
};

/// Whether the text is 40 or 64 lower-case hex digits, the only etags we accept as file names.
bool is_blob_name(std::string_view text) noexcept;

/// Whether the text is 40 lower-case hex digits, the only form of an immutable revision.
bool is_commit_id(std::string_view text) noexcept;

/// sha256 of a short text, in hex. For keys derived from secrets, never for file content.
std::string sha256_hex(std::string_view text);

} // namespace wharf
