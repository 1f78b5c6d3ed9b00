#pragma once

#include "daemon/net/request_body.hpp"

#include <algorithm>
#include <atomic>
#include <functional>
#include <string>

namespace wharf::test {

/// How a StreamBody behaves.
struct StreamPlan {
    std::uint64_t announced;
    std::uint64_t given = announced;        ///< how many bytes there are in truth
    std::size_t step = SIZE_MAX;            ///< how many come at a time
    std::uint64_t stop_at = UINT64_MAX;     ///< where it does something else first ...
    std::function<Awaitable<>()> on_stop{}; ///< ... namely this
};

/// A body made as it is read, in which each byte depends on its place.
class StreamBody final : public net::RequestBody {
  public:
    explicit StreamBody(StreamPlan plan) : plan_{std::move(plan)} {}

    static char at(std::uint64_t place) noexcept { return static_cast<char>('a' + place % 23); }

    /// The bytes of such a body.
    static std::string text(std::uint64_t size) {
        std::string result;
        for (std::uint64_t i = 0; i < size; ++i) {
            result.push_back(at(i));
        }
        return result;
    }

    /// How much was read since the last rewind. Any thread.
    std::uint64_t position() const noexcept { return position_; }
    int rewinds() const noexcept { return rewinds_; }

    std::uint64_t size() const noexcept override { return plan_.announced; }

    Awaitable<std::size_t> read_some(std::span<std::byte> buffer) override {
        const std::uint64_t begin = position_;
        if (begin == plan_.stop_at) {
            co_await plan_.on_stop();
        }
        const std::uint64_t end =
            begin < plan_.stop_at ? std::min(plan_.given, plan_.stop_at) : plan_.given;
        const std::size_t most = std::min(buffer.size(), plan_.step);
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(most, end - begin));
        for (std::size_t i = 0; i < count; ++i) {
            buffer[i] = static_cast<std::byte>(at(begin + i));
        }
        position_ = begin + count;
        co_return count;
    }

    void rewind() override {
        position_ = 0;
        ++rewinds_;
    }

  private:
    StreamPlan plan_;
    std::atomic<std::uint64_t> position_{0};
    int rewinds_ = 0;
};

} // namespace wharf::test
