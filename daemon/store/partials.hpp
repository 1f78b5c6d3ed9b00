#pragma once

#include "daemon/store/directory.hpp"
#include "daemon/store/file_system.hpp"
#include "daemon/store/partial_file.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace wharf::store {

/// The unfinished blobs in the staging folder: `<etag>.partial` with the bytes, and beside it
/// `<etag>.pieces`, the log, if there is more than one piece. Whoever has one open holds the
/// kernel's lock (flock) on it, which ends with the process. Blocks; one thread at a time.
class Partials {
  public:
    Partials(std::shared_ptr<const Directory> folder, Space space)
        : folder_{std::move(folder)}, space_{std::move(space)} {}

    /// See Store::open_partial().
    std::unique_ptr<PartialFile> open(const std::string& etag, std::uint64_t size,
                                      std::uint64_t piece_size);

    /// See Store::free_space().
    bool free_space(std::uint64_t bytes);

    /// See Store::reserved_bytes().
    std::uint64_t reserved(const std::vector<std::string>& etags) const;

    const Space& space() const noexcept { return space_; }

  private:
    std::unique_ptr<PartialFile> resume(const std::string& etag, std::uint64_t size);
    std::unique_ptr<PartialFile> create(const std::string& etag, std::uint64_t size,
                                        std::uint64_t piece_size);

    std::shared_ptr<const Directory> folder_;
    Space space_;
};

/// Removes everything but the uploads' folder, and pairs of file and log that fit each other and
/// were written to within `keep`. Requires: nobody has one open.
void remove_unusable(const std::shared_ptr<const Directory>& folder, std::chrono::seconds keep);

} // namespace wharf::store
