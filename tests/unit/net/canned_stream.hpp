#pragma once

#include "daemon/net/stream.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <string>

namespace wharf::test {

/// A peer whose bytes are all written beforehand: they come `step` at a time, then the end. What is
/// sent to it is kept, also after its end.
class CannedStream final : public net::Stream {
  public:
    enum class End { proper, lost };

    explicit CannedStream(std::string input, std::size_t step = SIZE_MAX, End end = End::proper)
        : input_{std::move(input)}, step_{step}, end_{end} {}

    Awaitable<std::size_t> read_some(std::span<std::byte> buffer, net::Deadline deadline) override {
        ++reads;
        read_deadline = deadline.at;
        const std::size_t count = std::min({buffer.size(), step_, input_.size() - position_});
        if (count == 0 && end_ == End::lost) {
            throw net::ConnectionLost{"reading from canned:1: connection reset by peer"};
        }
        std::memcpy(buffer.data(), input_.data() + position_, count);
        position_ += count;
        co_return count;
    }

    Awaitable<std::size_t> write_some(std::string_view data, net::Deadline) override {
        sent->append(data);
        if (sent->size() > write_limit) {
            throw net::ConnectionLost{"sending to canned:1: broken pipe"};
        }
        co_return data.size();
    }

    bool is_quiet() noexcept override {
        return quiet || (quiet_at_end && position_ == input_.size());
    }
    std::size_t unacknowledged() const noexcept override { return queue; }
    Awaitable<> wait_for_peer(std::chrono::milliseconds longest) override {
        on_wait(*this, longest);
        co_return;
    }
    const std::string& peer() const noexcept override { return peer_; }

    std::shared_ptr<std::string> sent = std::make_shared<std::string>();
    std::size_t write_limit = SIZE_MAX; ///< the write that goes beyond fails
    std::size_t reads = 0;
    std::chrono::steady_clock::time_point read_deadline{}; ///< of the last read
    std::size_t queue = 0;                                 ///< written, and not yet with the peer
    /// What happens while somebody waits for the peer.
    std::function<void(CannedStream&, std::chrono::milliseconds)> on_wait;
    bool quiet = true;
    bool quiet_at_end = false; ///< quiet once all has been read

  private:
    std::string input_;
    std::size_t position_ = 0;
    std::size_t step_;
    End end_;
    std::string peer_ = "canned:1";
};

} // namespace wharf::test
