// One mapping holds all buffers. Free ones are in two stacks: warm ones, whose pages are there, the
// hottest on top; and cold ones, never touched or trimmed. A mutex guards both and the queue of
// waiters; nothing under it takes longer than moving a few words. A buffer that comes back while
// somebody waits is handed to the first waiter at once, so that nobody can overtake; the waiter is
// woken by a post to its own thread.

#include "daemon/async/buffer_pool.hpp"

#include "base/scope_exit.hpp"
#include "daemon/async/event.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <list>
#include <mutex>
#include <sys/mman.h>
#include <system_error>
#include <utility>
#include <vector>

namespace wharf::async {

namespace {

using Clock = std::chrono::steady_clock;

} // namespace

/// Somebody who waits. Shared with the post that wakes it, which may come after it has gone.
struct BufferPool::Waiter {
    explicit Waiter(Executor e) : executor{std::move(e)} {}

    Executor executor;
    Event turn;                           ///< on the executor only
    std::optional<std::uint32_t> granted; ///< guarded by the pool's mutex
};

/// The mapping and who has what of it.
class BufferPool::Pages {
  public:
    explicit Pages(std::size_t count) : count_{count} {
        void* start = ::mmap(nullptr, count * buffer_size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (start == MAP_FAILED) {
            throw std::system_error{errno, std::system_category(), "buffer budget"};
        }
        start_ = static_cast<std::byte*>(start);
        warm_.reserve(count);
        cold_.reserve(count);
        for (std::size_t i = count; i > 0; --i) {
            cold_.push_back(static_cast<std::uint32_t>(i - 1));
        }
    }

    ~Pages() {
        assert(in_use() == 0 && "a buffer outlives its pool");
        ::munmap(start_, count_ * buffer_size);
    }

    Pages(const Pages&) = delete;
    Pages& operator=(const Pages&) = delete;

    std::byte* at(std::uint32_t index) const noexcept { return start_ + index * buffer_size; }
    std::size_t count() const noexcept { return count_; }

    std::size_t in_use() noexcept {
        const std::scoped_lock lock{mutex_};
        return count_ - warm_.size() - cold_.size() - being_trimmed_;
    }

    std::size_t resident() noexcept {
        const std::scoped_lock lock{mutex_};
        return count_ - cold_.size();
    }

    std::optional<std::uint32_t> take() noexcept {
        const std::scoped_lock lock{mutex_};
        return waiters_.empty() ? take_free() : std::nullopt;
    }

    /// Takes a buffer if the waiter need not wait; else it has joined the queue.
    std::optional<std::uint32_t> take_or_queue(const std::shared_ptr<Waiter>& waiter) {
        const std::scoped_lock lock{mutex_};
        auto index = waiters_.empty() ? take_free() : std::nullopt;
        if (!index) {
            waiters_.push_back(waiter);
        }
        return index;
    }

    std::optional<std::uint32_t> granted(Waiter& waiter) noexcept {
        const std::scoped_lock lock{mutex_};
        return waiter.granted;
    }

    /// The waiter waits no longer: what it was granted is its caller's to use or to put back.
    std::optional<std::uint32_t> leave(const std::shared_ptr<Waiter>& waiter) noexcept {
        const std::scoped_lock lock{mutex_};
        waiters_.remove(waiter);
        return std::exchange(waiter->granted, std::nullopt);
    }

    void put(std::uint32_t index) noexcept {
        const std::scoped_lock lock{mutex_};
        if (waiters_.empty()) {
            warm_.push_back({index, Clock::now()});
            return;
        }
        grant_first(index);
    }

    void trim(Clock::time_point used_before) noexcept {
        while (const auto index = take_oldest(used_before)) {
            ::madvise(at(*index), buffer_size, MADV_DONTNEED);
            put_cold(*index);
        }
    }

  private:
    struct Warm {
        std::uint32_t index;
        Clock::time_point used;
    };

    std::mutex mutex_;
    std::size_t count_;
    std::byte* start_ = nullptr;
    std::vector<Warm> warm_; ///< the last used at the end
    std::vector<std::uint32_t> cold_;
    std::size_t being_trimmed_ = 0;
    std::list<std::shared_ptr<Waiter>> waiters_; ///< who has no buffer yet, first come first

    std::optional<std::uint32_t> take_free() noexcept {
        if (!warm_.empty()) {
            const auto index = warm_.back().index;
            warm_.pop_back();
            return index;
        }
        if (cold_.empty()) {
            return std::nullopt;
        }
        const auto index = cold_.back();
        cold_.pop_back();
        return index;
    }

    /// The waiter's loop runs as long as it waits, and it cannot go before we let the mutex go.
    void grant_first(std::uint32_t index) noexcept {
        const auto waiter = waiters_.front();
        waiters_.pop_front();
        waiter->granted = index;
        asio::post(waiter->executor, [waiter] { waiter->turn.notify_all(); });
    }

    std::optional<std::uint32_t> take_oldest(Clock::time_point used_before) noexcept {
        const std::scoped_lock lock{mutex_};
        if (warm_.empty() || warm_.front().used > used_before) {
            return std::nullopt;
        }
        const auto index = warm_.front().index;
        warm_.erase(warm_.begin());
        ++being_trimmed_;
        return index;
    }

    void put_cold(std::uint32_t index) noexcept {
        const std::scoped_lock lock{mutex_};
        --being_trimmed_;
        if (waiters_.empty()) {
            cold_.push_back(index);
        } else {
            grant_first(index);
        }
    }
};

BufferPool::Buffer::Buffer(Buffer&& other) noexcept
    : owner_{std::exchange(other.owner_, nullptr)}, index_{other.index_} {}

BufferPool::Buffer& BufferPool::Buffer::operator=(Buffer&& other) noexcept {
    if (this != &other) {
        release();
        owner_ = std::exchange(other.owner_, nullptr);
        index_ = other.index_;
    }
    return *this;
}

std::span<std::byte> BufferPool::Buffer::bytes() const noexcept {
    assert(owner_ != nullptr);
    return {owner_->pages_->at(index_), buffer_size};
}

void BufferPool::Buffer::release() noexcept {
    if (auto* owner = std::exchange(owner_, nullptr)) {
        owner->pages_->put(index_);
    }
}

BufferPool::BufferPool(std::size_t budget)
    : pages_{std::make_unique<Pages>(std::max<std::size_t>(budget / buffer_size, 1))} {}

BufferPool::~BufferPool() = default;

std::optional<BufferPool::Buffer> BufferPool::try_acquire() noexcept {
    const auto index = pages_->take();
    return index ? std::optional{Buffer{*this, *index}} : std::nullopt;
}

Awaitable<BufferPool::Buffer> BufferPool::acquire() {
    if (const auto index = pages_->take()) {
        co_return Buffer{*this, *index};
    }
    const auto waiter = std::make_shared<Waiter>(co_await asio::this_coro::executor);
    if (const auto index = pages_->take_or_queue(waiter)) {
        co_return Buffer{*this, *index};
    }
    // Cancelled between the grant and waking up, the buffer goes to the next.
    ScopeExit leave{[this, &waiter]() noexcept {
        if (const auto granted = pages_->leave(waiter)) {
            pages_->put(*granted);
        }
    }};
    while (!pages_->granted(*waiter)) {
        co_await waiter->turn.wait();
    }
    leave.release();
    co_return Buffer{*this, pages_->leave(waiter).value()};
}

void BufferPool::trim(Clock::duration idle) noexcept {
    pages_->trim(Clock::now() - idle);
}

std::size_t BufferPool::capacity() const noexcept {
    return pages_->count();
}

std::size_t BufferPool::in_use() const noexcept {
    return pages_->in_use();
}

std::size_t BufferPool::resident() const noexcept {
    return pages_->resident();
}

} // namespace wharf::async
