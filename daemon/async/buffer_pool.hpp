#pragma once

#include "daemon/async/awaitable.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace wharf::async {

/// The memory through which the bytes of all bodies go: buffers of one size under one budget,
/// shared by all threads. Pages that were touched stay, since fresh ones are slow; trim() gives
/// back what has not been needed for a while. Must outlive its buffers and whoever waits for one.
class BufferPool {
  private:
    class Pages;
    struct Waiter;

  public:
    /// The flat part of the curve for TLS reads and page-cache writes (docs/measurements.md).
    static constexpr std::size_t buffer_size = 256 << 10;

    /// One buffer, given back when this is destroyed, on any thread. Its content is anything.
    class Buffer {
      public:
        Buffer() noexcept = default;
        Buffer(Buffer&& other) noexcept;
        Buffer& operator=(Buffer&& other) noexcept;
        ~Buffer() { release(); }

        std::span<std::byte> bytes() const noexcept;
        explicit operator bool() const noexcept { return owner_ != nullptr; }
        void release() noexcept;

      private:
        friend BufferPool;
        Buffer(BufferPool& owner, std::uint32_t index) noexcept : owner_{&owner}, index_{index} {}

        BufferPool* owner_ = nullptr;
        std::uint32_t index_ = 0;
    };

    /// As many buffers as fit into `budget` bytes, but at least one. Takes address space only;
    /// throws std::system_error when even that is refused.
    explicit BufferPool(std::size_t budget);

    /// Requires: all buffers are back and nobody waits.
    ~BufferPool();

    /// A free buffer, if there is one and nobody waits for it. Any thread; never blocks for long.
    std::optional<Buffer> try_acquire() noexcept;

    /// Waits until there is one; first come, first served, over all threads. Throws
    /// operation_aborted when the task is cancelled.
    Awaitable<Buffer> acquire();

    /// Gives the pages of buffers back to the system that lay unused for `idle`. To be called now
    /// and then, on any thread.
    void trim(std::chrono::steady_clock::duration idle = std::chrono::seconds{30}) noexcept;

    std::size_t capacity() const noexcept; ///< in buffers
    std::size_t in_use() const noexcept;   ///< in buffers; any thread
    std::size_t resident() const noexcept; ///< buffers whose pages are (partly) there; any thread

  private:
    std::unique_ptr<Pages> pages_;
};

} // namespace wharf::async
