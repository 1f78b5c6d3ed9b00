#pragma once

#include "daemon/async/blocking_pool.hpp"
#include "daemon/async/foreign_calls.hpp"
#include "daemon/store/fresh_file.hpp"
#include "daemon/store/publisher.hpp"
#include "daemon/store/shelf.hpp"
#include "daemon/store/staged_files.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace wharf::store {

/// The staged files in `.locks/.wharf/uploads/<upload>/`. Reading what comes from outside happens
/// on threads that nobody waits for, the rest on the pools: what needs the catalogue on `disk`.
class UploadStaging final : public StagedFiles {
  public:
    /// Requires: all of them outlive this.
    UploadStaging(const Directory& cache, const Space& space, Shelf& shelf, Publisher& publisher,
                  async::BlockingPool& pool, async::BlockingPool& disk);

    Awaitable<StagedFile> take(StagingOrder order) override;
    Awaitable<AttachedFile> attach(StagingOrder order) override;
    Awaitable<StagedFile> take_bytes(std::uint64_t upload, std::string content) override;
    Awaitable<> flush(std::uint64_t upload) override;
    Awaitable<UniqueFd> open(std::uint64_t upload, std::string name) override;
    Awaitable<std::vector<std::string>>
    read_starts(std::uint64_t upload, std::vector<std::string> names, std::size_t most) override;
    Awaitable<> publish(std::uint64_t upload, hub::RepoId repo,
                        std::vector<PushedFile> files) override;
    Awaitable<> discard(std::uint64_t upload) override;
    Awaitable<> keep_only(std::vector<std::uint64_t> uploads) override;

  private:
    struct Flush;

    async::ForeignCalls& calls(const Executor& executor);
    std::string new_name();
    std::shared_ptr<Flush> open_for_flush(std::uint64_t upload,
                                          std::vector<std::string> names) const;
    void keep_unflushed(std::uint64_t upload, const std::vector<std::string>& names);
    Awaitable<> flush_all(std::shared_ptr<Flush> flush);
    Awaitable<> flush_part(std::shared_ptr<Flush> flush, std::size_t begin, std::size_t end);
    Awaitable<> publish_some(std::uint64_t upload, std::string repo_folder,
                             std::span<const PushedFile> files);
    Awaitable<> remove_folder(std::string name);

    UploadFolders folders_;
    Shelf& shelf_;
    Publisher& publisher_;
    async::BlockingPool& pool_;
    async::BlockingPool& disk_;
    std::uint64_t next_name_;
    std::map<std::uint64_t, std::vector<std::string>> unflushed_; ///< names, by upload
    std::optional<async::ForeignCalls> calls_;                    ///< made when the loop is known
};

} // namespace wharf::store
