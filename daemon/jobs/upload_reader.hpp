#pragma once

#include "daemon/jobs/upload_work.hpp"

#include <map>

namespace wharf::jobs {

/// The contents of a commit's regular files, in the order of its lines. Small staged files are read
/// ahead, many at a time; others are open while they are sent.
class UploadWork::Reader {
  public:
    /// Requires: the work outlives this.
    explicit Reader(UploadWork& work) : work_{work} {}

    /// The content of what comes next. Requires: `change` stays where it is.
    static hub::ReadContent add(const std::shared_ptr<Reader>& self, const PushChange& change);

  private:
    static Awaitable<std::size_t> read(std::shared_ptr<Reader> self, std::size_t place,
                                       std::uint64_t offset, std::span<std::byte> buffer);
    Awaitable<std::size_t> read_ahead(std::size_t place, std::uint64_t offset,
                                      std::span<std::byte> buffer);
    Awaitable<std::size_t> read_large(std::size_t place, std::uint64_t offset,
                                      std::span<std::byte> buffer);
    Awaitable<> fill(std::size_t place);

    UploadWork& work_;
    std::vector<const PushChange*> files_;
    std::map<std::size_t, std::string> ahead_; ///< contents of small files, by place in `files_`
    std::shared_ptr<const UniqueFd> open_;
    std::size_t opened_ = 0; ///< the place of what is open
};

} // namespace wharf::jobs
