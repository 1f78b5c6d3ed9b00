#pragma once

#include "daemon/async/io_threads.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/net/http_client.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace wharf::transfer {

/// The I/O threads with what each needs to move bytes: a connection pool and the Hub's protocol
/// over it. Choosing a lane is for the control thread; using one is for its own thread.
class Lanes {
  public:
    struct Lane {
        Lane(Executor e, const net::HttpOptions& options, const net::Url& endpoint,
             hub::QuotaObserver observer)
            : executor{std::move(e)}, http{executor, options},
              hub{http, endpoint, std::move(observer)} {}

        Executor executor;
        net::HttpClient http;
        hub::HubClient hub;
        std::size_t busy = 0; ///< requests under way; control thread only
    };

    /// `observer` is called on the I/O threads.
    Lanes(async::IoThreads& threads, const net::HttpOptions& options, const net::Url& endpoint,
          const hub::QuotaObserver& observer);

    /// Closes the connections on their own threads.
    ~Lanes();

    /// The lane with the least to do.
    Lane& pick() noexcept;

    /// After the machine slept: see HttpClient. Takes effect a moment later.
    void distrust_connections();

    std::uint64_t bytes_received() const noexcept;

  private:
    std::vector<std::unique_ptr<Lane>> lanes_;
};

} // namespace wharf::transfer
