#pragma once

#include "daemon/async/io_threads.hpp"
#include "daemon/hub/hub_client.hpp"
#include "daemon/hub/transport.hpp"
#include "daemon/hub/upload_client.hpp"
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
            : executor{std::move(e)}, http{executor, options}, transport{http, std::move(observer)},
              hub{transport, endpoint}, uploads{transport, endpoint} {}

        Executor executor;
        net::HttpClient http;
        hub::HttpTransport transport;
        hub::HubClient hub;
        hub::UploadClient uploads;
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
    std::uint64_t bytes_sent() const noexcept;

  private:
    std::vector<std::unique_ptr<Lane>> lanes_;
};

/// The lane that all requests of one file under way have in common: threads that are at one file at
/// the same time only wait for each other, and the kernel lets them spin. Control thread.
class FileLane {
  public:
    /// Requires: the lanes outlive this.
    explicit FileLane(Lanes& lanes) noexcept : lanes_{lanes} {}

    /// For one request more, until leave().
    Lanes::Lane& enter() noexcept;
    void leave() noexcept;

  private:
    Lanes& lanes_;
    Lanes::Lane* lane_ = nullptr; ///< where the requests under way are
    std::size_t requests_ = 0;    ///< how many there are
};

} // namespace wharf::transfer
