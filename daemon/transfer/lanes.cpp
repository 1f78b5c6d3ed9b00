#include "daemon/transfer/lanes.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <algorithm>
#include <numeric>

namespace wharf::transfer {

Lanes::Lanes(async::IoThreads& threads, const net::HttpOptions& options, const net::Url& endpoint,
             const hub::QuotaObserver& observer) {
    for (std::size_t i = 0; i < threads.size(); ++i) {
        lanes_.push_back(std::make_unique<Lane>(threads.executor(i), options, endpoint, observer));
    }
}

Lanes::~Lanes() {
    // A client belongs to its thread, its end too. Nothing else runs there any more.
    for (auto& lane : lanes_) {
        asio::post(lane->executor, asio::use_future([&lane] { lane.reset(); })).wait();
    }
}

Lanes::Lane& Lanes::pick() noexcept {
    return **std::ranges::min_element(lanes_, {}, [](const auto& lane) { return lane->busy; });
}

Lanes::Lane& FileLane::enter() noexcept {
    if (requests_++ == 0) {
        lane_ = &lanes_.pick();
    }
    ++lane_->busy;
    return *lane_;
}

void FileLane::leave() noexcept {
    --lane_->busy;
    --requests_;
}

void Lanes::distrust_connections() {
    for (auto& lane : lanes_) { // our end waits for the lanes' threads, and so for this
        asio::post(lane->executor, [&lane = *lane] { lane.http.distrust_connections(); });
    }
}

std::uint64_t Lanes::bytes_received() const noexcept {
    return std::accumulate(
        lanes_.begin(), lanes_.end(), std::uint64_t{0},
        [](std::uint64_t sum, const auto& lane) { return sum + lane->http.bytes_received(); });
}

std::uint64_t Lanes::bytes_sent() const noexcept {
    return std::accumulate(
        lanes_.begin(), lanes_.end(), std::uint64_t{0},
        [](std::uint64_t sum, const auto& lane) { return sum + lane->http.bytes_sent(); });
}

} // namespace wharf::transfer
