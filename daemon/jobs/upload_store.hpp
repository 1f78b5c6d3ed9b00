#pragma once

#include "daemon/async/blocking_pool.hpp"
#include "daemon/jobs/upload_rows.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace wharf::jobs {

/// The uploads on disk, for the control thread: each call is done on a thread of their own, and
/// what it wrote survives a kill of the daemon when it returns. Errors as UploadRows has them.
class UploadStore {
  public:
    /// Opens or makes the file, and blocks meanwhile. Requires: the sealer, and the callers' event
    /// loop, outlive this.
    UploadStore(const std::filesystem::path& file, const access::Sealer& sealer)
        : rows_{open_upload_rows(file, sealer)} {}

    /// Blocks: for the start.
    std::vector<UploadRows::Known> all() { return rows_->all(); }

    /// Runs work on the rows.
    template <typename Function>
    auto with_rows(Function function) {
        return disk_.run([rows = rows_.get(), function = std::move(function)]() mutable {
            return function(*rows);
        });
    }

  private:
    std::unique_ptr<UploadRows> rows_;
    async::BlockingPool disk_{1};
};

} // namespace wharf::jobs
