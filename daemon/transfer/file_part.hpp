#pragma once

#include "base/unique_fd.hpp"
#include "daemon/async/blocking_pool.hpp"
#include "daemon/net/request_body.hpp"
#include "daemon/scheduling/allowance.hpp"
#include "daemon/scheduling/connection_line.hpp"

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace wharf::transfer {

/// Where a part's bytes are, and who is told of them.
struct PartOrder {
    std::shared_ptr<const UniqueFd> file;
    std::uint64_t begin = 0;
    std::uint64_t size = 0;
    std::shared_ptr<scheduling::ConnectionLine> connection; ///< counts what goes
    std::shared_ptr<scheduling::Allowance> allowance;       ///< how fast we may send
    std::shared_ptr<std::atomic<std::uint64_t>> sent;       ///< likewise, and what must go again
    async::BlockingPool* pool = nullptr;                    ///< outlives this
};

/// Part of a file as a request's body. What the page cache has is read where we are, straight into
/// the client's buffer; only a read that would wait for the disk goes to the pool, so that it holds
/// up no other connection of the lane. The kernel reads ahead, so that happens seldom, and no
/// memory of ours is needed. Lane's thread.
class FilePart final : public net::RequestBody {
  public:
    explicit FilePart(PartOrder order) : order_{std::move(order)} {}

    std::uint64_t size() const noexcept override { return order_.size; }

    /// Throws storage Errors; integrity when the file has become shorter.
    Awaitable<std::size_t> read_some(std::span<std::byte> buffer) override;

    /// What was counted as sent is not any more.
    void rewind() override;

    bool is_whole() const noexcept { return position_ == order_.size; }

  private:
    Awaitable<std::size_t> read(std::span<std::byte> buffer);

    PartOrder order_;
    std::uint64_t position_ = 0; ///< in the part
};

/// The sha256 of a file's first `size` bytes, in hex. Throws as FilePart does. Any thread.
Awaitable<std::string> sha256_of(std::shared_ptr<const UniqueFd> file, std::uint64_t size,
                                 async::BlockingPool& pool);

} // namespace wharf::transfer
